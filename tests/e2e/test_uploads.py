# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""curl uploads through nginx to Python: bodies of every framing, one trace, the sizes that all four ends saw."""

import subprocess
import unittest

import peers
from harness import LiveCase
from scrape import Scrape
from spans import CLIENT, SERVER

SIZES = (1, 900, 1100, 20_000, 3_000_000)


class Uploads(LiveCase):
    def setUp(self):
        super().setUp()
        self.curl = self.need("curl")
        self.upstream, _ = peers.python_server(self)
        self.nginx = peers.Nginx(self, upstream_port=self.upstream, upstream_keepalive=True)
        self.scrape = Scrape()
        sinks = [{"name": "file", "type": "file", "path": str(self.folder / "spans.jsonl")}, self.scrape.sink()]
        self.daemon = self.run_daemon(self.nginx.port, self.upstream, sinks=sinks)
        self.files = {}
        for size in SIZES:
            self.files[size] = self.folder / f"body{size}"
            # What is in it looks like a request at the beginning of many a segment.
            self.files[size].write_bytes((b"GET /fake HTTP/1.1\r\nHost: fake\r\n\r\n" * (size // 34 + 1))[:size])

    def upload(self, path, *arguments):
        """Every size after the other on one connection of one curl."""
        command = [self.curl, "-sS"]
        for size in SIZES:
            url = f"http://127.0.0.1:{self.nginx.port}{path}/{size}"
            filled = [argument.format(file=self.files[size]) for argument in arguments]
            command += [*(["--next", "-sS"] if len(command) > 2 else []), *filled, "-o", "/dev/null", url]
        subprocess.run(command, check=True, timeout=60)

    def assert_chains(self, path, method):
        """curl, nginx, nginx, Python: each the child of the one before."""
        for size in SIZES:
            spans = self.daemon.spans(path=f"{path}/{size}", http__request__method=method)
            self.assertEqual([span.attributes["http.response.status_code"] for span in spans], [200] * 4)
            one = {(span.kind, span.attributes["server.port"]): span for span in spans}
            chain = [one[CLIENT, self.nginx.port], one[SERVER, self.nginx.port], one[CLIENT, self.upstream],
                     one[SERVER, self.upstream]]
            self.assertEqual([span.parent_id for span in chain], ["", *(span.span_id for span in chain[:-1])])

    def check(self, method, *arguments, sized_by=("client", "server")):
        self.upload("/proxy/up", *arguments)
        self.daemon.wait_spans(4 * len(SIZES), settle=0.5)
        self.assertEqual(len(self.daemon.spans()), 4 * len(SIZES))
        self.assert_chains("/proxy/up", method)
        self.assertEqual(self.daemon.losses(), {})
        return self.scrape.body_sizes()

    def test_by_length(self):
        sizes = self.check("POST", "--data-binary", "@{file}", "-H", "Content-Type: application/octet-stream")
        self.assertEqual([sizes[end, "request"] for end in ("client", "server")], [2 * sum(SIZES)] * 2)

    def test_put_after_100_continue(self):
        sizes = self.check("PUT", "-T", "{file}", "-H", "Expect: 100-continue")
        self.assertEqual([sizes[end, "request"] for end in ("client", "server")], [2 * sum(SIZES)] * 2)

    def test_chunked(self):
        """nginx gathers the chunks and sends a length on: its connection to Python is exact in any case."""
        sizes = self.check("PUT", "-T", "{file}", "-H", "Transfer-Encoding: chunked")
        for end in ("client", "server"):
            self.assertGreaterEqual(sizes[end, "request"], sum(SIZES))
            self.assertLessEqual(sizes[end, "request"], 2 * sum(SIZES))

    def test_thrown_away(self):
        """nginx answers without looking at the body, and reads it behind the answer."""
        self.upload("/ignored", "--data-binary", "@{file}")
        found = self.daemon.wait_spans(2 * len(SIZES), settle=0.5)
        self.assertEqual(sorted((span.kind, span.path) for span in found),
                         sorted((kind, f"/ignored/{size}") for kind in (SERVER, CLIENT) for size in SIZES))
        self.assertEqual({span.attributes["http.response.status_code"] for span in found}, {200})
        self.assertEqual({span.attributes.get("error.type") for span in found}, {None})


if __name__ == "__main__":
    unittest.main()
