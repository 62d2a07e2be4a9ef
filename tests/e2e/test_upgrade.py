# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""Connections on which HTTP/1 asks for another protocol: HTTP/2 is grpc's from its first frame on, WebSocket nobody's."""

import collections
import os
import subprocess
import unittest

import peers
from harness import LiveCase, accepts, free_port, wait_for
from languages import Missing, built, go_program
from peers import SERVERS
from spans import CLIENT, SERVER

SOURCES = SERVERS / "upgrade"
H2, H1 = "2", "1.1"


class UpgradeCase(LiveCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        try:
            cls.program = built(SOURCES, "upgrade", lambda folder: go_program(SOURCES, folder))
        except Missing as reason:
            print(f"SKIPPED: {cls.__name__}: {reason}")
            raise unittest.SkipTest(str(reason)) from None

    def server(self):
        port = free_port()
        self.spawn([*self.program, "server", port])
        wait_for("the server to listen", lambda: accepts(port))
        return port

    def run_modules(self, port, modules=("http", "grpc")):
        daemon = self.start_daemon(targets=[{"name": "under_test", "ports": [port]},
                                            {"name": "not_this", "exclude": True, "pids": [os.getpid()]}])
        for module in modules:
            daemon.load(module)
        return daemon

    def shown(self, spans):
        """(kind, path, version, status) of each and how often."""
        return collections.Counter((span.kind, span.path, span.attributes["network.protocol.version"],
                                    span.attributes.get("http.response.status_code")) for span in spans)

    def expect(self, daemon, wanted):
        daemon.wait_spans(sum(wanted.values()), settle=0.5)
        self.assertEqual(self.shown(daemon.spans()), wanted)
        self.assertEqual(daemon.losses(), {})
        self.assertTrue(daemon.ctl_json("ledger")["closes"])


class ToHttp2(UpgradeCase):
    """The request that asks has its span, of HTTP/1 with status 101. Its answer in HTTP/2 has no request there."""

    def curl(self):
        return [self.need("curl"), "-sS", "--http2", *["-o", "/dev/null"] * 3]

    def answers(self, daemon):
        return daemon.counters().get(("module:grpc", "aborted.unmatched"), 0)

    def talk(self, command, rounds, first, then):
        """`command` asks for the first path by HTTP/1 and for the others on the same connection; both ends are seen."""
        port = self.server()
        daemon = self.run_modules(port)
        for _ in range(rounds):
            done = subprocess.run([*command, *(f"http://127.0.0.1:{port}{path}" for path in (first, *then))],
                                  capture_output=True, timeout=60)
            self.assertEqual(done.returncode, 0, done.stderr)
        wanted = collections.Counter()
        for kind in (SERVER, CLIENT):
            wanted[(kind, first, H1, 101)] = rounds
            for path, status in then.items():
                wanted[(kind, path, H2, status)] = rounds
        self.expect(daemon, wanted)
        self.assertEqual(self.answers(daemon), 2 * rounds)
        servers = daemon.spans(kind=SERVER)
        clients = {span.span_id: span for span in daemon.spans(kind=CLIENT)}
        for span in servers:
            self.assertEqual(clients[span.parent_id].path, span.path)

    def test_curl(self):
        self.talk(self.curl(), 50, "/bytes/5/a", {"/status/404/b": 404, "/status/418/c": 418})

    def test_curl_with_a_long_first_answer(self):
        self.talk(self.curl(), 20, "/bytes/3000000/a", {"/status/404/b": 404, "/bytes/100000/c": 200})

    def test_nghttp(self):
        """Which sends the other requests at once, before the first is answered."""
        then = {f"/status/{status}/{number}": status for number, status in enumerate([200, 204, 404, 418, 500] * 4)}
        self.talk([self.need("nghttp"), "-u", "--null-out"], 20, "/bytes/100/first", then)

    def test_nghttp_with_a_long_first_answer(self):
        self.talk([self.need("nghttp"), "-u", "--null-out"], 20, "/bytes/300000/first", {f"/bytes/20000/{n}": 200 for n in range(8)})

    def test_a_server_that_does_not(self):
        nginx = peers.Nginx(self)
        daemon = self.run_modules(nginx.port)
        subprocess.run([self.need("curl"), "-sS", "--http2", "-o", "/dev/null", f"http://127.0.0.1:{nginx.port}/no"], check=True)
        self.expect(daemon, collections.Counter({(SERVER, "/no", H1, 200): 1, (CLIENT, "/no", H1, 200): 1}))


ALL = ("http", "grpc", "dns", "sql", "kafka", "tls")
MESSAGES = 500


class ToWebSocket(UpgradeCase):
    def test_nobody_takes_it(self):
        port = self.server()
        daemon = self.run_modules(port, ALL)

        def talk(messages):
            before = daemon.counters()
            subprocess.run([*self.program, "websocket", str(port), str(messages)], check=True, timeout=60)
            after = daemon.counters()
            return {(name, counter): after.get((f"module:{name}", counter), 0) - before.get((f"module:{name}", counter), 0)
                    for name in ALL for counter in ("submitted", "consumed", "notices", "streams_given_away")}

        few, many = talk(1), talk(MESSAGES)
        # Of a connection with many messages no module gets more than of one with a single one.
        self.assertEqual(many, few)
        self.assertGreater(sum(few.values()), 0)
        self.expect(daemon, collections.Counter({(SERVER, "/ws", H1, 101): 2, (CLIENT, "/ws", H1, 101): 2}))


if __name__ == "__main__":
    unittest.main()
