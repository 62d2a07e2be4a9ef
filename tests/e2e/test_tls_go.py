# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""Go's crypto/tls: goroutines move between threads and their stacks move; each request is there, exactly once."""

import collections
import os
import subprocess
import unittest

import grpc_pairs
import peers
from harness import FULL, accepts, free_port, wait_for
from spans import CLIENT, SERVER
from test_tls import NAME
from test_tls_plaintext import HttpsCase

REQUESTS = 10_000 if FULL else 3000
STRIPPED = ("-ldflags", "-s -w")


class GoCase(HttpsCase):
    def setUp(self):
        super().setUp()
        self.ports = {}

    def build(self, *flags, go=None):
        return peers.build_go(self, "https", flags=flags, go=go)

    def serve(self, program, *how):
        port = free_port()
        process = self.spawn([program, "serve", f"127.0.0.1:{port}", self.cert, self.key, *how])
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
    def test_each_of_many_requests(self):
        self.expect_each(self.build(), "1.1", REQUESTS, 16)

    def test_stripped(self):
        self.expect_each(self.build(*STRIPPED), "1.1")

    @unittest.skipUnless(FULL, "PROBED_FULL=1 runs it")
    def test_position_independent(self):
        self.expect_each(self.build("-buildmode=pie", *STRIPPED), "1.1")

    @unittest.skipUnless(FULL, "PROBED_FULL=1 runs it")
    def test_the_release_of_debian(self):
        go = "/usr/lib/go-1.23/bin/go"
        if not os.access(go, os.X_OK):
            self.skipTest(f"there is no {go}")
        self.expect_each(self.build(*STRIPPED, go=go), "1.1")

    def test_buffers_on_stacks_that_move(self):
        program = self.build()
        port, _ = self.serve(program)
        daemon = self.https_daemon(port)
        done = subprocess.run([program, "get", f"127.0.0.1:{port}", NAME, "stack", "50", "1"], capture_output=True,
                              text=True, timeout=180)
        came, moved = map(int, done.stdout.split())
        self.assertEqual(came, 50, done.stderr)
        self.assertGreater(moved, 0)
        for kind in (SERVER, CLIENT):
            self.assertEqual([span.path for span in self.requests_of(daemon, kind, 50)],
                             [f"/number/{number}" for number in range(50)])
        self.assert_healthy(daemon)

    def test_connection_older_than_the_daemon(self):
        port, _ = self.serve(self.build())
        self.expect_older_connection(port, unbound=2)

    def test_tls_inside_of_tls_is_not_mixed_up(self):
        program = self.build()
        port, _ = self.serve(program, "nested")
        daemon = self.https_daemon(port)
        self.get(program, port, "nested", 10, 1)
        spans = daemon.wait_spans(4, settle=1.0)
        self.assertEqual({span.name for span in spans}, {f"TLS client handshake {NAME}", "TLS server handshake"})
        self.assertGreaterEqual(daemon.counters()[("module:tls", "unbound")], 20)
        self.assertEqual(daemon.losses(), {})

    def test_a_program_that_cannot_be_read_is_counted_and_named(self):
        """Without its section headers nobody finds the functions; it runs all the same."""
        program = self.build()
        with open(program, "r+b") as file:
            for offset, length in ((0x28, 8), (0x3c, 4)):  # e_shoff; e_shnum, e_shstrndx
                file.seek(offset)
                file.write(bytes(length))
        port, process = self.serve(program)
        daemon = self.https_daemon(port)
        self.get(program, port, "1.1", 20, 2)
        handshakes = daemon.wait_spans(2, settle=0.5)
        self.assertEqual({span.attributes["probed.tls.plaintext_read"] for span in handshakes}, {False})
        wait_for("both programs to be counted", lambda: daemon.counters()[("module:tls", "no_symbols")] == 2)
        modules = {module["name"]: module for module in daemon.ctl_json("modules")}
        (condition,) = modules["tls"]["status"]["conditions"]
        self.assertEqual((condition["type"], condition["reason"]), ("NotApplicable", "NO_SYMBOLS"))
        self.assertIn(f"{program} (pid {process.pid})", condition["message"])
        self.assert_healthy(daemon)


class Http2(GoCase):
    def test_each_of_many_requests(self):
        self.expect_each(self.build(*STRIPPED), "2", REQUESTS, 16, module="grpc")


class Grpc(HttpsCase):
    """grpc-go over TLS."""

    def command(self):
        return grpc_pairs.built("go")

    def setUp(self):
        super().setUp()
        try:
            command = self.command()
        except grpc_pairs.Missing as missing:
            self.skipTest(str(missing))
        self.server = grpc_pairs.Server(command, self.folder, self.cert, self.key)
        self.addCleanup(self.server.stop)
        self.daemon = self.https_daemon(self.server.port, modules=("grpc", "tls"))
        self.client = grpc_pairs.Client(self, command, self.server.port, self.cert)

    def call(self, *words, status=0):
        self.assertEqual(self.client.ask(*words), status, words)

    def expect(self, calls):
        count = sum(calls.values())
        for kind in (SERVER, CLIENT):
            found = self.daemon.wait_spans(count, seconds=30, settle=0.3, kind=kind)
            self.assertEqual(collections.Counter((span.name, span.attributes["rpc.status_code"]) for span in found), calls)
        self.assert_healthy(self.daemon)

    def test_kinds_and_statuses(self):
        self.call("say", 5, 2)
        self.call("say", 4_000_000, 1)
        self.call("count", 100)
        self.call("sum", 70)
        self.call("chat", 50)
        self.call("fail", 5, status=5)
        self.expect({("test.Echo/Say", "OK"): 3, ("test.Echo/Count", "OK"): 1, ("test.Echo/Sum", "OK"): 1,
                     ("test.Echo/Chat", "OK"): 1, ("test.Echo/Fail", "NOT_FOUND"): 1})

    def test_each_call_of_many_at_once(self):
        rounds = [(1, 500), (8, 1000), (64, 1000)] * 10 if FULL else [(1, 200), (8, 400), (64, 400)]
        for streams, times in rounds:
            self.call("parallel", streams, times, 100)
        self.expect({("test.Echo/Say", "OK"): sum(times for _, times in rounds)})


if __name__ == "__main__":
    unittest.main()
