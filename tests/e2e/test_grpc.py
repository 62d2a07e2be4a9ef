# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""gRPC and HTTP/2: as many spans as calls whatever runs at once, with the status that was on the wire."""

import collections
import json
import os
import re
import subprocess
import time
import unittest

import peers
from harness import LiveCase
from spans import CLIENT, SERVER

SAY = "test.Echo/Say"


class GrpcCase(LiveCase):
    def run_grpc(self, *ports, settings=None, exclude=(), **options):
        targets = [{"name": "under_test", "ports": list(ports)}]
        if exclude:
            targets.append({"name": "not_these", "exclude": True, "exe": [os.path.realpath(self.need(e)) for e in exclude]})
        modules = [{"name": "grpc", "settings": settings}] if settings else []
        daemon = self.start_daemon(targets=targets, modules=modules, **options)
        daemon.load("grpc")
        return daemon

    def assert_exact(self, daemon):
        self.assertEqual(daemon.losses(), {})
        self.assertTrue(daemon.ctl_json("ledger")["closes"])


class Python(GrpcCase):
    """grpc-python, which is gRPC's C++ core, on both ends."""

    def setUp(self):
        super().setUp()
        self.port, self.server = peers.grpc_server(self)
        self.client = peers.GrpcClient(self, self.port)

    def ask(self, **command):
        return self.client.ask(**command)

    def both(self, daemon, count, seconds=20, **criteria):
        """`count` spans of each side."""
        servers = daemon.wait_spans(count, seconds=seconds, kind=SERVER, **criteria)
        clients = daemon.wait_spans(count, seconds=seconds, settle=0.5, kind=CLIENT, **criteria)
        self.assertEqual((len(servers), len(clients)), (count, count))
        return servers, clients

    def test_unary(self):
        daemon = self.run_grpc(self.port)
        self.assertEqual(self.ask(call="say"), "OK")
        (server,), (client,) = self.both(daemon, 1)
        expected = {"rpc.system.name": "grpc", "rpc.method": SAY, "rpc.status_code": "OK",
                    "server.address": "127.0.0.1", "server.port": self.port}
        for span in (server, client):
            self.assertEqual(span.name, SAY)
            self.assertEqual({key: span.attributes.get(key) for key in expected}, expected)
            self.assertNotIn("error.type", span.attributes)
            self.assertNotIn("http.request.method", span.attributes)
        self.assertEqual((server.trace_id, server.parent_id), (client.trace_id, client.span_id))
        self.assertEqual(server.resource["process.pid"], self.server.pid)
        self.assert_exact(daemon)


if __name__ == "__main__":
    unittest.main()
