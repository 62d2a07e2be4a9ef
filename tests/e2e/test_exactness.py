# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""As many spans as requests, by the server's own access log: whatever the connections, the writes and the sizes."""

import collections
import os
import socket
import subprocess
import time
import unittest

import peers
from harness import FULL, LiveCase
from spans import SERVER

KEPT = 100_000 if FULL else 20_000  # requests on many connections that are kept
FAST = 200_000 if FULL else 50_000  # as fast as it goes
REQUEST = "GET {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: raw/1\r\n\r\n"


def request(path):
    return REQUEST.format(path=path).encode()


class Exactness(LiveCase):
    def setUp(self):
        super().setUp()
        self.nginx = peers.Nginx(self)
        self.port = self.nginx.port

    def daemon_for(self, *programs):
        return self.run_daemon(self.port, exclude=[os.getpid(), *map(self.need, programs)])

    def assert_exact(self, daemon, requests):
        self.nginx.wait_requests(requests)
        found = daemon.wait_spans(requests, seconds=60, settle=1.0, kind=SERVER)
        self.assertEqual(len(found), requests)
        self.assertEqual(len({span.span_id for span in found}), requests)
        self.assertEqual({span.attributes["http.response.status_code"] for span in found}, {200})
        self.assertEqual(daemon.losses(), {})
        self.assertTrue(daemon.ctl_json("ledger")["closes"])
        return found

    def keep_alive(self, connections, requests=KEPT):
        daemon = self.daemon_for("h2load")
        peers.h2load(self, self.port, requests, connections, rate=20_000)
        self.assert_exact(daemon, requests)

    def test_keep_alive_16(self):
        self.keep_alive(16, 100_000)

    def test_keep_alive_64(self):
        self.keep_alive(64)

    def test_keep_alive_256(self):
        self.keep_alive(256)

    def test_saturated(self):
        """As fast as it goes: what is not a span is counted."""
        daemon = self.daemon_for("h2load")
        peers.h2load(self, self.port, FAST, 64)
        self.nginx.wait_requests(FAST)
        found = daemon.wait_quiet(kind=SERVER)
        lost = sum(daemon.losses().values())
        print(f"saturated: {len(found)} spans, {lost} records counted as lost, of {FAST} requests")
        self.assertLessEqual(len(found), FAST)
        self.assertEqual(len({span.span_id for span in found}), len(found))
        # No request is missing without a record that is counted as lost; one may have been about several.
        self.assertLessEqual(FAST - len(found), lost)
        self.assertTrue(daemon.ctl_json("ledger")["closes"])

    def test_new_connections(self):
        daemon = self.daemon_for("ab")
        peers.ab(self, self.port, 10_000, 16)
        self.assert_exact(daemon, 10_000)

    def pipelined(self, depth, rounds):
        daemon = self.daemon_for()
        with peers.connect(self.port) as connection:
            for number in range(rounds):
                connection.sendall(b"".join(request(f"/p/{number}/{index}") for index in range(depth)))
                peers.read_responses(connection, depth)
        found = self.assert_exact(daemon, depth * rounds)
        paths = collections.Counter(span.path for span in found)
        self.assertEqual(paths, {f"/p/{number}/{index}": 1 for number in range(rounds) for index in range(depth)})

    def test_pipelined_4(self):
        self.pipelined(4, 250)

    def test_pipelined_16(self):
        self.pipelined(16, 100)

    def test_head_split_at_every_byte(self):
        daemon = self.daemon_for()
        splits = len(request("/s/00"))
        with peers.connect(self.port) as connection:
            for cut in range(1, splits):
                data = request(f"/s/{cut:02}")
                connection.sendall(data[:cut])
                time.sleep(0.002)  # so that nginx reads the two parts apart
                connection.sendall(data[cut:])
                peers.read_responses(connection, 1)
        found = self.assert_exact(daemon, splits - 1)
        self.assertEqual(len({span.path for span in found}), splits - 1)

    def test_head_byte_by_byte(self):
        daemon = self.daemon_for()
        with peers.connect(self.port) as connection:
            for byte in request("/bytewise"):
                connection.sendall(bytes([byte]))
                time.sleep(0.001)
            peers.read_responses(connection, 1)
        (span,) = self.assert_exact(daemon, 1)
        self.assertEqual(span.path, "/bytewise")

    def test_bodies_up_to_100_mb_by_sendfile(self):
        daemon = self.daemon_for()
        sizes = [0, 1, 1000, 65_536, 1 << 20, 100_000_000]
        with peers.connect(self.port) as connection:
            for size in sizes:
                # The small request after each body shows that the stream was not lost inside it.
                connection.sendall(request(self.nginx.file(f"f{size}", size)) + request(f"/after/{size}"))
                self.assertEqual(peers.read_responses(connection, 2), size + len("hello\n"))
        found = self.assert_exact(daemon, 2 * len(sizes))
        self.assertEqual({span.path for span in found},
                         {f"/files/f{size}" for size in sizes} | {f"/after/{size}" for size in sizes})

    def test_behind_a_splicing_proxy(self):
        """The proxy's sockets move bytes that no hook can show; the server behind it is exact all the same."""
        port, proxy = peers.splice_proxy(self, self.port)
        daemon = self.run_daemon(port, self.port, exclude=[os.getpid()])
        paths = [f"/spliced/{number}" for number in range(200)]
        with peers.connect(port) as connection:
            for path in paths:
                connection.sendall(request(path))
                peers.read_responses(connection, 1)
            connection.sendall(request(self.nginx.file("spliced", 10_000_000)) + request("/last"))
            peers.read_responses(connection, 2)
        found = daemon.wait_spans(len(paths) + 2, settle=1.0, kind=SERVER)
        own = [span for span in found if span.resource["process.pid"] == self.nginx.process.pid]
        self.assertEqual(sorted(span.path for span in own), sorted([*paths, "/files/spliced", "/last"]))
        # Whatever is said about the proxy is right, or nothing is said.
        for span in found:
            self.assertIn(span.path, {*paths, "/files/spliced", "/last"})
        self.assertIsNone(proxy.poll())

    def test_connection_older_than_the_daemon(self):
        with peers.connect(self.port) as connection:
            connection.sendall(request("/before"))
            peers.read_responses(connection, 1)
            daemon = self.daemon_for()
            for number in range(10):
                connection.sendall(request(f"/after/{number}"))
                peers.read_responses(connection, 1)
        found = daemon.wait_spans(10, settle=0.5)
        self.assertEqual(sorted(span.path for span in found), sorted(f"/after/{number}" for number in range(10)))

    def test_connection_closed_before_the_response(self):
        port, _ = peers.go_server(self)
        daemon = self.run_daemon(port, exclude=[os.getpid()])
        with peers.connect(port) as connection:
            connection.sendall(request("/gone"))
            time.sleep(0.02)
        (span,) = daemon.wait_spans(1, settle=0.5)
        self.assertNotIn("http.response.status_code", span.attributes)
        self.assertTrue(span.attributes["error.type"])

    def test_unix_socket_closed_before_the_response(self):
        daemon = self.start_daemon(targets=[{"name": "client", "exe": [self.need("curl")]}])
        daemon.load("http")
        if "capture backend sock" not in daemon.log():
            self.skipTest("unix streams need the backend sock")
        path = str(self.folder / "server.sock")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen()
            client = subprocess.Popen(["curl", "-s", "--unix-socket", path, "http://unix.test/gone"])
            connection, _ = listener.accept()
            with connection:
                self.assertIn(b"/gone", connection.recv(65536))
            self.assertEqual(client.wait(60), 52)  # nothing came back
        (span,) = daemon.wait_spans(1, settle=0.5)
        self.assertEqual((span.path, span.attributes["error.type"]), ("/gone", "connection_closed"))


if __name__ == "__main__":
    unittest.main()
