# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""Unmodified clients yield right CLIENT spans, joined with the server they spoke to."""

import subprocess
import unittest

import peers
from harness import LiveCase
from spans import CLIENT, SERVER


class LiveClients(LiveCase):
    def setUp(self):
        super().setUp()
        self.port, _ = peers.python_server(self)
        self.url = f"http://127.0.0.1:{self.port}/world"

    def one_request(self, command):
        daemon = self.run_daemon(self.port)
        process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL)
        self.assertEqual(process.wait(60), 0)
        daemon.wait_spans(2, settle=0.5)
        (client,) = daemon.spans(kind=CLIENT)
        (server,) = daemon.spans(kind=SERVER)
        expected = {"http.request.method": "GET", "url.full": self.url, "http.response.status_code": 200,
                    "server.address": "127.0.0.1", "server.port": self.port}
        self.assertEqual({key: client.attributes.get(key) for key in expected}, expected)
        self.assertEqual(client.name, "GET")
        # Also of a process that lived for milliseconds.
        self.assertEqual(client.resource["process.pid"], process.pid)
        self.assertEqual((server.trace_id, server.parent_id), (client.trace_id, client.span_id))
        self.assertLessEqual(client.start_ns, server.start_ns)

    def test_curl(self):
        self.one_request([self.need("curl"), "-s", self.url])

    def test_python_urllib(self):
        self.one_request([peers.PYTHON, "-c", f"import urllib.request as u; u.urlopen('{self.url}').read()"])

    def test_node(self):
        self.one_request([self.need("node"), peers.SERVERS / "get.js", self.url])

    def test_go(self):
        self.one_request([peers.build_go(self, "get"), self.url])


if __name__ == "__main__":
    unittest.main()
