# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""Plaintext of an "encrypted" connection, handed on by probes: the http module makes its spans of it."""

import os
import pathlib
import shutil
import socket
import unittest

import leaks
from harness import BUILD_DIR, LiveCase, accepts, free_port, wait_for
from spans import SERVER

PROGRAMS = BUILD_DIR / "fixture_programs"
REQUESTS = 1000
FLIPPED = 0x5A


def flip(text):
    return bytes(byte ^ FLIPPED for byte in text)


class Connection:
    """A client of flip_server; it does not use the library, so only the server is probed."""

    def __init__(self, case, port):
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        case.addCleanup(self._socket.close)

    def send(self, text):
        self._socket.sendall(flip(text))

    def receive(self, size):
        got = b""
        while len(got) < size:
            part = self._socket.recv(size - len(got))
            if not part:
                raise AssertionError(f"the server closed after {got!r}")
            got += part
        return flip(got)

    def ask(self, path, pieces=1):
        request = f"GET {path} HTTP/1.1\r\nHost: flipped\r\n\r\n".encode()
        step = -(-len(request) // pieces)
        for at in range(0, len(request), step):
            self.send(request[at:at + step])
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
        if self.receive(len(answer)) != answer:
            raise AssertionError("not the answer")

    def close(self):
        self._socket.close()


class Plaintext(LiveCase):
    def setUp(self):
        super().setUp()
        if not (PROGRAMS / "flip_server").exists():
            self.skipTest("attach_fixtures are not built")
        self.port = free_port()
        self.server = self.spawn([PROGRAMS / "flip_server", self.port])
        wait_for("the server", lambda: accepts(self.port))

    def daemon_with(self, *modules, **options):
        """Both modules come from one folder of trusted files."""
        folder = pathlib.Path(os.path.expanduser("~")) / f".probed-plaintext.{os.getpid()}"
        folder.mkdir(mode=0o755)
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        shutil.copy(BUILD_DIR / "modules" / "http.so", folder)
        shutil.copy(BUILD_DIR / "fixture_modules" / "attach_probe.so", folder)
        targets = [{"name": "server", "exe": [str(PROGRAMS / "flip_server")]}]
        daemon = self.start_daemon(module_dir=folder, **{"targets": targets, **options})
        for module in modules:
            daemon.load(module)
        return daemon

    def assert_spans(self, daemon, paths):
        found = daemon.wait_spans(len(paths), settle=0.5, kind=SERVER)
        self.assertEqual([span.path for span in found], paths)
        for span in found:
            self.assertEqual(span.attributes["url.scheme"], "https")
            self.assertEqual(span.attributes["http.response.status_code"], 200)
            self.assertEqual(span.attributes["http.request.method"], "GET")
            self.assertEqual(span.resource["process.pid"], self.server.pid)
            self.assertEqual(span.attributes["server.address"], "flipped")
            self.assertEqual(span.attributes["network.peer.address"], "127.0.0.1")
        self.assertEqual(daemon.losses(), {})
        self.assertEqual(daemon.counters().get(("kernel", "unbound"), 0), 0)
        doctor = daemon.ctl("doctor", check=False)
        self.assertEqual(doctor.returncode, 0, doctor.stdout + doctor.stderr)

    def test_requests_become_spans(self):
        daemon = self.daemon_with("http", "attach_probe")
        connection = Connection(self, self.port)
        paths = [f"/number/{number}" for number in range(REQUESTS)]
        for path in paths:
            connection.ask(path)
        self.assert_spans(daemon, paths)

    def test_modules_in_the_other_order(self):
        daemon = self.daemon_with("attach_probe", "http")
        connection = Connection(self, self.port)
        for path in ("/one", "/two"):
            connection.ask(path)
        self.assert_spans(daemon, ["/one", "/two"])

    def test_each_connection_is_a_stream_of_its_own(self):
        daemon = self.daemon_with("http", "attach_probe")
        paths = [f"/{connection}/{request}" for connection in range(50) for request in range(3)]
        for number in range(50):
            connection = Connection(self, self.port)
            for path in paths[3 * number:3 * number + 3]:
                connection.ask(path)
            connection.close()
        self.assert_spans(daemon, paths)
        wait_for("all streams to be closed", lambda: daemon.counters()[("module:http", "streams")] == 0)

    def test_connection_older_than_the_daemon(self):
        connection = Connection(self, self.port)
        connection.ask("/before")
        daemon = self.daemon_with("http", "attach_probe")
        connection.ask("/after")
        connection.ask("/again")
        # The server reads in a call that began before the probes: its first request after load may have no beginning.
        found = daemon.wait_spans(1, settle=0.5, kind=SERVER)
        self.assertIn("/again", [span.path for span in found])
        self.assertEqual({span.attributes["url.scheme"] for span in found}, {"https"})

    def test_head_in_pieces(self):
        daemon = self.daemon_with("http", "attach_probe")
        connection = Connection(self, self.port)
        connection.ask("/pieces", pieces=7)
        connection.ask("/whole")
        self.assert_spans(daemon, ["/pieces", "/whole"])

    def test_only_sockets_of_the_rule(self):
        other = free_port()
        self.spawn([PROGRAMS / "flip_server", other])
        wait_for("the other server", lambda: accepts(other))
        daemon = self.daemon_with("http", "attach_probe", targets=[{"name": "port", "ports": [self.port]}])
        for path in ("/one", "/two"):
            for port, asked in ((other, "/other"), (self.port, path)):
                connection = Connection(self, port)
                connection.ask(asked)
                connection.close()
        found = daemon.wait_spans(2, settle=0.5, kind=SERVER)
        self.assertEqual([span.path for span in found], ["/one", "/two"])

    def test_unload_under_traffic_leaves_nothing(self):
        daemon = self.daemon_with("http", "attach_probe")
        connection = Connection(self, self.port)
        connection.ask("/warm")
        for module in ("attach_probe", "http"):
            daemon.ctl("unload", module)
        objects = leaks.bpf_objects()
        for number in range(10):
            order = ("http", "attach_probe") if number % 2 else ("attach_probe", "http")
            for module in order:
                daemon.load(module)
            connection.ask(f"/loaded/{number}")
            connection.ask(f"/loaded/{number}")
            for module in order:
                daemon.ctl("unload", module)
                connection.ask("/between")
        self.assertEqual(leaks.wait_no_new_objects(objects), [])
        self.assertEqual(leaks.mapped_modules(daemon.pid), [])


if __name__ == "__main__":
    unittest.main()
