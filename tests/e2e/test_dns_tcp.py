# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""Lookups over TCP: several in one write, one in several, connections that end early or are older than the daemon."""

import collections
import contextlib
import os
import socket
import struct
import subprocess
import threading
import unittest

import peers
from harness import strangers, wait_for
from name_servers import DnsCase
from spans import CLIENT, SERVER
from under_load import Overflow


class Asker:
    """servers/dns_stream.py: one connection, one line a turn."""

    def __init__(self, case, port):
        self.process = subprocess.Popen([peers.PYTHON, str(peers.SERVERS / "dns_stream.py"), str(port)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        case.addCleanup(self.close)
        assert self.process.stdout.readline() == "connected\n"

    def ask(self, *names, first=""):
        self.process.stdin.write(f"{first} {' '.join(names)}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().split()

    def close(self):
        if self.process.stdin.closed:
            return
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()


class RudeServer:
    """Takes one query a connection, answers with `reply` and closes, by a reset if wanted. Runs in the test itself."""

    def __init__(self, case, reply=b"", reset=False):
        self.reply, self.reset = reply, reset
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        thread = threading.Thread(target=self.serve, daemon=True)
        thread.start()
        case.addCleanup(thread.join, 10)
        case.addCleanup(self.listener.close)

    def serve(self):
        with contextlib.suppress(OSError):
            connection, _ = self.listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(self.reply)
                if self.reset:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class DnsTcp(DnsCase):
    def test_dig(self):
        self.unbound()
        daemon = self.dns_daemon(self.clients_only())
        self.assertIn("192.0.2.1", self.dig("+tcp", "www.test").stdout)
        (span,) = daemon.wait_spans(1, settle=0.5)
        expected = {"dns.question.name": "www.test", "server.address": "127.0.0.1", "server.port": self.port,
                    "network.transport": "tcp", "network.type": "ipv4", "probed.dns.question.type": "A",
                    "probed.dns.response_code": "NOERROR"}
        self.assertEqual({key: span.attributes.get(key) for key in expected}, expected)
        self.assertEqual((span.kind, span.name), (CLIENT, "DNS lookup www.test"))
        self.assertEqual(sorted(span.attributes["dns.answers"]), ["192.0.2.1", "192.0.2.2"])
        self.assert_nothing_lost(daemon)

    def test_truncated_answer_and_the_second_try(self):
        """Each exchange is a span: the one over UDP says that its answer was cut."""
        self.unbound()
        daemon = self.dns_daemon(self.clients_only())
        self.assertIn("part 9", self.dig("large.test", "TXT").stdout)
        found = daemon.wait_spans(2, settle=0.5)
        udp, tcp = sorted(found, key=lambda span: span.start_ns)
        self.assertEqual([span.attributes["network.transport"] for span in (udp, tcp)], ["udp", "tcp"])
        self.assertEqual([span.attributes.get("probed.dns.truncated") for span in (udp, tcp)], [True, None])
        self.assertEqual([span.name for span in found], ["DNS lookup large.test"] * 2)
        self.assertEqual([span.attributes.get("error.type") for span in found], [None, None])
        self.assertLessEqual(udp.end_ns, tcp.start_ns)
        self.assert_nothing_lost(daemon)

    def test_several_in_one_write_and_one_in_several(self):
        self.unbound()
        daemon = self.dns_daemon(self.clients_only())
        asker = Asker(self, self.port)
        names = [f"n{index}.www.test" for index in range(8)]
        self.assertEqual(asker.ask(*names), ["0"] * 8)
        for first in (1, 2, 3, 14, 20, 33, 34):
            self.assertEqual(asker.ask("only4.test", "missing.test", first=first), ["0", "3"])
        found = daemon.wait_spans(8 + 14, settle=0.5)
        counted = collections.Counter(span.attributes["dns.question.name"] for span in found)
        self.assertEqual(counted, {**{name: 1 for name in names}, "only4.test": 7, "missing.test": 7})
        errors = {span.attributes.get("error.type") for span in daemon.spans(dns__question__name="missing.test")}
        self.assertEqual(errors, {"host_not_found"})
        self.assert_nothing_lost(daemon)

    def test_connection_older_than_the_daemon(self):
        self.unbound()
        asker = Asker(self, self.port)
        self.assertEqual(asker.ask("only4.test"), ["0"])
        daemon = self.dns_daemon(self.clients_only())
        self.assertEqual(asker.ask("www.test", "missing.test", first=2), ["0", "3"])
        found = daemon.wait_spans(2, settle=0.5)
        self.assertEqual(sorted(span.name for span in found), ["DNS lookup missing.test", "DNS lookup www.test"])
        self.assert_nothing_lost(daemon)

    def test_early_end(self):
        """No answer, no code: the error says how the connection ended."""
        self.unbound()
        daemon = self.dns_daemon(self.clients_only())
        begun = struct.pack(">H", 200) + struct.pack(">6H", 0, 0x8183, 1, 0, 0, 0)
        cases = {"closed.test": RudeServer(self), "begun.test": RudeServer(self, begun),
                 "reset.test": RudeServer(self, reset=True)}
        for name, server in cases.items():
            self.assertEqual(Asker(self, server.port).ask(name), ["closed"])
        found = {span.attributes["dns.question.name"]: (span.attributes["error.type"], span.status["code"])
                 for span in daemon.wait_spans(3, settle=0.5)}
        self.assertEqual(found, {"closed.test": ("connection_closed", 2), "begun.test": ("connection_closed", 2),
                                 "reset.test": ("connection_reset", 2)})
        self.assertFalse([span for span in daemon.spans() if "probed.dns.response_code" in span.attributes])
        self.assert_nothing_lost(daemon)

    def test_both_ends(self):
        """The server's span is the child of the client's: they are the two ends of one connection."""
        self.unbound()
        daemon = self.dns_daemon({"name": "test", "exclude": True, "pids": [os.getpid()]}, strangers(),
                                 config=("--set", "server_spans=true"))
        self.assertEqual(Asker(self, self.port).ask("a.www.test", "b.www.test"), ["0", "0"])
        daemon.wait_spans(4, settle=0.5)
        clients = {span.attributes["dns.question.name"]: span for span in daemon.spans(kind=CLIENT)}
        servers = {span.attributes["dns.question.name"]: span for span in daemon.spans(kind=SERVER)}
        self.assertEqual((set(clients), set(servers)), ({"a.www.test", "b.www.test"},) * 2)
        for name, server in servers.items():
            self.assertEqual((server.trace_id, server.parent_id), (clients[name].trace_id, clients[name].span_id))
            self.assertEqual(server.attributes["server.port"], self.port)
            self.assertEqual(server.attributes["client.address"], "127.0.0.1")
        self.assert_nothing_lost(daemon)

    def test_zone_transfer_is_no_lookup(self):
        """Of a message that long only the beginning leaves the kernel."""
        self.dnsmasq()
        daemon = self.dns_daemon(self.clients_only(), config=("--set", "capture_bytes=512"))
        self.assertIn("n1999", self.dig("+tcp", "www.test", "AXFR").stdout)
        self.assertIn("192.0.2.9", self.dig("+tcp", "www.test", "A", "missing.www.test", "A").stdout)
        found = daemon.wait_spans(2, settle=0.5)
        self.assertEqual(sorted(span.name for span in found), ["DNS lookup missing.www.test", "DNS lookup www.test"])
        wait_for("the transfer's messages", lambda: self.total(daemon, "ignored.configured") >= 2)
        self.assert_nothing_lost(daemon)


class DnsFullRing(Overflow, DnsCase):
    module = "dns"

    def talk_peers(self):
        self.unbound()
        asker = Asker(self, self.port)

        def talk(first, count):
            for number in range(first, first + count):
                self.assertEqual(asker.ask(f"n{number}.www.test"), ["0"])
        return talk

    def load_daemon(self, **options):
        return self.start_daemon(targets=[self.clients_only()], **options)

    def is_operation(self, span):
        return span.attributes["network.transport"] == "tcp"

    def number_of(self, span):
        return int(span.attributes["dns.question.name"].removesuffix(".www.test").removeprefix("n"))


if __name__ == "__main__":
    unittest.main()
