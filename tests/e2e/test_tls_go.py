# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""Go's crypto/tls: goroutines move between threads and their stacks move; each request is there, exactly once."""

import subprocess
import unittest

import peers
from harness import FULL, accepts, free_port, wait_for
from spans import CLIENT, SERVER
from test_tls import NAME
from test_tls_plaintext import HttpsCase

REQUESTS = 10_000
STRIPPED = ("-ldflags", "-s -w")


class GoCase(HttpsCase):
    def setUp(self):
        super().setUp()
        self.ports = {}

    def build(self, *flags, go=None):
        return peers.build_go(self, "https", flags=flags, go=go)

    def serve(self, program):
        port = free_port()
        process = self.spawn([program, "serve", f"127.0.0.1:{port}", self.cert, self.key])
        wait_for("the server to listen", lambda: accepts(port))
        return port, process

    def get(self, program, port, version, count, workers):
        done = subprocess.run([program, "get", f"127.0.0.1:{port}", NAME, version, str(count), str(workers)],
                              capture_output=True, text=True, timeout=300)
        self.assertEqual(done.stdout.strip(), str(count), done.stderr)

    def expect_each(self, program, version, count=100, workers=4, module="http", **options):
        port, process = self.serve(program)
        daemon = self.https_daemon(port, modules=(module, "tls"), **options)
        self.get(program, port, version, count, workers)
        wanted = sorted(f"/number/{number}" for number in range(count))
        for kind in (SERVER, CLIENT):
            found = self.requests_of(daemon, kind, count)
            self.assertEqual(sorted(span.path for span in found), wanted)
            self.assertEqual({span.attributes["network.protocol.version"] for span in found}, {version})
        self.assertEqual({span.resource["process.pid"] for span in daemon.spans(kind=SERVER)}, {process.pid})
        self.assertEqual({span.attributes["url.scheme"] for span in daemon.spans(kind=SERVER)}, {"https"})
        self.assert_healthy(daemon)
        return daemon


class Http1(GoCase):
    def test_10000_requests(self):
        self.expect_each(self.build(), "1.1", REQUESTS, 16)

    def test_stripped(self):
        self.expect_each(self.build(*STRIPPED), "1.1")

    def test_position_independent(self):
        self.expect_each(self.build("-buildmode=pie", *STRIPPED), "1.1")


class Http2(GoCase):
    def test_10000_requests(self):
        self.expect_each(self.build(*STRIPPED), "2", REQUESTS, 16, module="grpc")


if __name__ == "__main__":
    unittest.main()
