# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""gRPC-Web, by a server and clients of Connect's Go library: calls over HTTP/2, requests of HTTP over HTTP/1.1."""

import subprocess
import unittest

import grpc_pairs
from harness import LiveCase, free_port, wait_for
from languages import Missing, built, go_program
from spans import CLIENT, SERVER

ASKED = ("Say", "Fail", "Count", "Say")
SAID = ("OK", "NOT_FOUND", "OK", "OK")


class GrpcWeb(LiveCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        sources = grpc_pairs.SOURCES / "web"
        try:
            cls.command = built(sources, "grpc_web", lambda folder: go_program(sources, folder))
        except Missing as reason:
            print(f"SKIPPED: {cls.__name__}: {reason}")
            raise unittest.SkipTest(str(reason)) from None

    def asked(self, protocol, version, modules=("http", "grpc")):
        port = free_port()
        server = self.spawn([*self.command, "serve", port])
        log = self.folder / "program.log"
        wait_for("the server to listen", lambda: log.exists() and "ready" in log.read_text())
        daemon = self.start_daemon(targets=[{"name": "under_test", "ports": [port]}])
        for module in modules:
            daemon.load(module)
        done = subprocess.run([*map(str, self.command), "ask", str(port), protocol, version, *ASKED],
                              capture_output=True, text=True, timeout=20)
        self.assertEqual(done.stdout.split(), [{"OK": "ok"}.get(said, said.lower()) for said in SAID], done.stderr)
        daemon.wait_spans(2 * len(ASKED), settle=0.5)
        spans = {kind: sorted(daemon.spans(kind=kind), key=lambda span: span.start_ns) for kind in (CLIENT, SERVER)}
        self.assertEqual({kind: len(found) for kind, found in spans.items()}, {CLIENT: 4, SERVER: 4})
        self.assertEqual({span.resource["process.pid"] for span in spans[SERVER]}, {server.pid})
        for asked, answered in zip(spans[CLIENT], spans[SERVER]):
            self.assertEqual((answered.parent_id, answered.trace_id), (asked.span_id, asked.trace_id))
        self.assertEqual(daemon.losses(), {})
        return spans

    def expect_calls(self, spans):
        for kind, found in spans.items():
            self.assertEqual([span.name for span in found], [f"test.Echo/{method}" for method in ASKED])
            self.assertEqual([span.attributes.get("rpc.status_code") for span in found], list(SAID))
            self.assertEqual({span.attributes["rpc.system.name"] for span in found}, {"grpc"})
            errors = ["NOT_FOUND" if said == "NOT_FOUND" and kind == CLIENT else None for said in SAID]
            self.assertEqual([span.attributes.get("error.type") for span in found], errors)
            self.assertFalse([key for span in found for key in span.attributes if key.startswith("http.")])

    def expect_requests(self, spans, version, status=200):
        """What Connect answers is HTTP's alone: no status of a call is made of it."""
        for found in spans.values():
            self.assertEqual({span.name for span in found}, {"POST"})
            self.assertEqual([span.path for span in found], [f"/test.Echo/{method}" for method in ASKED])
            self.assertEqual([span.attributes["http.response.status_code"] for span in found], [200, status, 200, 200])
            self.assertEqual({span.attributes["network.protocol.version"] for span in found}, {version})
            self.assertFalse([key for span in found for key in span.attributes if key.startswith("rpc.")])

    def test_over_http_2(self):
        """The trailers are compressed, and this server ends a stream by an empty frame of its own."""
        self.expect_calls(self.asked("web", "2"))

    def test_over_http_1(self):
        self.expect_requests(self.asked("web", "1"), "1.1")

    def test_ordinary_grpc_of_the_same_server(self):
        self.expect_calls(self.asked("grpc", "2"))

    def test_connect_over_http_2(self):
        self.expect_requests(self.asked("connect", "2"), "2", status=404)

    def test_connect_over_http_1(self):
        self.expect_requests(self.asked("connect", "1"), "1.1", status=404)


if __name__ == "__main__":
    unittest.main()
