# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""gRPC's own services, by grpc-go: health and reflection; header blocks of several frames; connections sent away."""

import pathlib
import tempfile
import unittest

import grpc_pairs
from languages import Missing, built, go_program
from spans import CLIENT, SERVER
from test_grpc import GrpcCase

HEALTH = "grpc.health.v1.Health/Check"
REFLECTION = "grpc.reflection.v1.ServerReflection/ServerReflectionInfo"


class Services(GrpcCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        sources = grpc_pairs.SOURCES / "services"
        try:
            cls.command = built(sources, "grpc_services", lambda folder: go_program(sources, folder))
        except Missing as missing:
            raise unittest.SkipTest(str(missing)) from None
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.server = grpc_pairs.Server(cls.command, pathlib.Path(cls.folder.name))
        cls.addClassCleanup(cls.server.stop)

    def setUp(self):
        super().setUp()
        self.daemon = self.run_grpc(self.server.port, settings={"capture_request_headers": '["x-long"]'})
        self.client = grpc_pairs.Client(self, self.command, self.server.port)

    def both(self, count):
        """The spans of each side, which say of `count` calls that all went well."""
        sides = [self.daemon.wait_spans(count, settle=0.5, kind=kind) for kind in (SERVER, CLIENT)]
        for spans in sides:
            self.assertEqual(len(spans), count)
            self.assertEqual({span.attributes.get("rpc.status_code") for span in spans}, {"OK"})
        self.assert_exact(self.daemon)
        return sides

    def test_health_and_reflection(self):
        self.assertEqual(self.client.ask("health", 20), 20)
        self.assertEqual(self.client.ask("reflect"), 3)
        for spans in self.both(21):
            self.assertEqual(sorted(span.name for span in spans), [HEALTH] * 20 + [REFLECTION])

    def test_a_header_block_of_several_frames(self):
        """HEADERS and CONTINUATION; what is behind it is only right if all of it was read."""
        self.client.ask("health", 2)
        self.client.ask("metadata", 40_000)
        self.client.ask("health", 5)
        for spans in self.both(8):
            self.assertEqual({span.name for span in spans}, {HEALTH})
            cut = [span for span in spans if span.attributes.get("probed.http.head_truncated")]
            self.assertEqual(len(cut), 1)
            self.assertFalse(any("rpc.request.header.x-long" in span.attributes for span in spans))

    def test_a_server_that_sends_its_connections_away(self):
        """GOAWAY twice each: the calls under way end as they would have, the next ones go over another connection."""
        calls = self.client.ask("age", 2500)
        servers, clients = self.both(calls)
        self.assertEqual({span.name for span in [*servers, *clients]}, {HEALTH})
        ports = {span.attributes["network.peer.port"] for span in servers}
        self.assertGreaterEqual(len(ports), 4)
        print(f"{calls} calls over {len(ports)} connections")


if __name__ == "__main__":
    unittest.main()
