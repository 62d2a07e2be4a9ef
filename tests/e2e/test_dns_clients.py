# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""Resolvers of several languages, another name server, and exactness: every lookup a span, with the time it took."""

import collections
import os
import socket
import subprocess
import threading
import time
import unittest

import peers
from harness import FULL, strangers, wait_for
from name_servers import DnsCase, query
from spans import CLIENT
from under_load import UnderLoad

CLOCK_NS = 5_000_000  # between the kernel's and this one
# Asks one after the other, and says when it began with each and when it was done.
TIMED_CLIENT = """
import socket, sys, time
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    s.settimeout(50)
    for question in sys.stdin.read().split():
        began = time.time_ns()
        s.sendto(bytes.fromhex(question), ("127.0.0.1", int(sys.argv[1])))
        s.recvfrom(512)
        print(began, time.time_ns())
"""
BOTH = {"A": 1, "AAAA": 1}


class DnsClients(DnsCase):
    def expect_asked(self, wanted, daemon, transport="udp"):
        """Types and number of the lookups of www.test that were seen."""
        found = daemon.wait_spans(sum(wanted.values()), settle=1.0)
        self.assertEqual({span.attributes["dns.question.name"] for span in found}, {"www.test"})
        self.assertEqual({span.attributes["network.transport"] for span in found}, {transport})
        self.assertEqual({span.attributes["server.port"] for span in found}, {53})
        self.assert_nothing_lost(daemon)
        self.assertEqual(collections.Counter(span.attributes["probed.dns.question.type"] for span in found), wanted)

    def resolve(self, address, *command, **options):
        """Runs the command under a resolver that asks an unbound at `address`, which must tell the address of www.test."""
        self.unbound(address, 53)
        daemon = self.dns_daemon(self.clients_only())
        done = self.run_client([*self.resolver_of_its_own(address, **options), *command])
        self.assertIn("192.0.2.1", done.stdout, done.stderr)
        return daemon

    def test_go(self):
        program = peers.build_go(self, "look")
        self.expect_asked(BOTH, self.resolve("127.0.53.3", program, "www.test"))

    def test_go_over_tcp(self):
        program = peers.build_go(self, "look")
        daemon = self.resolve("127.0.53.4", program, "www.test", options="use-vc")
        self.expect_asked(BOTH, daemon, "tcp")

    def test_c_library_over_tcp(self):
        daemon = self.resolve("127.0.53.5", "getent", "ahosts", "www.test", options="use-vc")
        self.expect_asked(BOTH, daemon, "tcp")

    def test_node_by_c_ares(self):
        script = "require('dns').resolve4('www.test', (error, found) => console.log(error || found))"
        self.expect_asked({"A": 1}, self.resolve("127.0.53.6", self.need("node"), "-e", script))

    def test_node_by_the_c_library(self):
        script = "require('dns').lookup('www.test', {all: true}, (error, found) => console.log(error || found))"
        self.expect_asked(BOTH, self.resolve("127.0.53.7", self.need("node"), "-e", script))

    def test_java(self):
        java = self.need("java")
        self.need("javac")
        daemon = self.resolve("127.0.53.8", java, peers.SERVERS / "Look.java", "www.test")
        self.expect_asked(BOTH, daemon)

    def test_dnsmasq(self):
        self.dnsmasq()
        daemon = self.dns_daemon(self.clients_only())
        for transport in ("+notcp", "+tcp"):
            self.assertIn("192.0.2.9", self.dig(transport, "www.test").stdout)
            self.assertIn("NXDOMAIN", self.dig(transport, "missing.www.test").stdout)
        found = {(span.attributes["dns.question.name"], span.attributes["network.transport"]):
                 span.attributes.get("error.type") for span in daemon.wait_spans(4, settle=0.5)}
        self.assertEqual(found, {("www.test", "udp"): None, ("www.test", "tcp"): None,
                                 ("missing.www.test", "udp"): "host_not_found",
                                 ("missing.www.test", "tcp"): "host_not_found"})
        self.assert_nothing_lost(daemon)

    def mdns_responder(self):
        """In a network namespace of its own. Returns the prefix under which a command joins it."""
        if subprocess.run([peers.PYTHON, "-c", "import zeroconf"], capture_output=True).returncode != 0:
            print(f"SKIPPED: {self.id()}: python3-zeroconf is not installed")
            self.skipTest("python3-zeroconf is not installed")
        links = "ip link set lo up multicast on && ip route add 224.0.0.0/4 dev lo && exec \"$@\""
        responder = self.spawn([self.need("unshare"), "-n", "sh", "-c", links, "sh", peers.PYTHON,
                                peers.SERVERS / "mdns_responder.py", "127.0.0.1"])
        log = self.folder / "unshare.log"
        wait_for("the responder", lambda: "ready" in log.read_text())
        return [self.need("nsenter"), "-t", responder.pid, "-n", peers.PYTHON]

    def test_multicast(self):
        """A query from a port of its own is a lookup like any other; one from port 5353 is if somebody answers it."""
        daemon = self.dns_daemon({"name": "test", "exclude": True, "pids": [os.getpid()]}, strangers(),
                                 config=("--set", "timeout=3000"))
        joined = self.mdns_responder()
        script = ("import socket, sys\n"
                  "with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:\n"
                  "  s.settimeout(30)\n"
                  "  s.sendto(bytes.fromhex(sys.argv[1]), ('224.0.0.251', 5353))\n"
                  "  print(len(s.recvfrom(2000)[0]))\n")
        done = self.run_client([*joined, "-c", script, query(77, "probe-host.local").hex()])
        self.assertGreater(int(done.stdout or 0), 12, done.stderr)
        (span,) = daemon.wait_spans(1, settle=1.0)
        self.assertEqual((span.name, span.attributes["dns.answers"]), ("DNS lookup probe-host.local", ["192.0.2.7"]))
        self.assertEqual((span.attributes["server.address"], span.attributes["server.port"]), ("224.0.0.251", 5353))
        done = self.run_client([*joined, peers.SERVERS / "mdns_responder.py", "127.0.0.1", "look"])
        self.assertIn("probe-host.local.", done.stdout, done.stderr)
        asked = daemon.wait_spans(2, settle=1.0, dns__question__name="one._probe._tcp.local")
        self.assertEqual(sorted(span.attributes["probed.dns.question.type"] for span in asked), ["SRV", "TXT"])
        for span in asked:
            said = {"server.address": "224.0.0.251", "server.port": 5353, "network.peer.address": "127.0.0.1",
                    "network.peer.port": 5353, "network.transport": "udp", "probed.dns.response_code": "NOERROR"}
            self.assertEqual({key: span.attributes.get(key) for key in said}, said)
            self.assertEqual((span.name, span.kind), ("DNS lookup one._probe._tcp.local", CLIENT))
            self.assertNotIn("error.type", span.attributes)
        # It also asks for addresses of the service's name, which has none: nobody answers, and that is no error.
        wait_for("the questions without answers", lambda: self.total(daemon, "aborted.unmatched") == 2)
        self.assertEqual(len(daemon.spans()), 3)
        self.assertGreater(self.total(daemon, "ignored.configured"), 2)
        self.assert_nothing_lost(daemon)

    def load(self, transport, lookups, rate):
        """So many lookups of a hundred names by dnsperf, each answered; the spans of all of them."""
        self.unbound()
        daemon = self.dns_daemon(self.clients_only())
        names = self.folder / "names"
        names.write_text("".join(f"n{index}.www.test A\n" for index in range(100)))
        done = self.run_client([self.need("dnsperf"), "-s", "127.0.0.1", "-p", self.port, "-d", names, "-m", transport,
                                "-n", lookups // 100, "-Q", rate, "-c", 4])
        self.assertRegex(done.stdout, rf"Queries completed:\s+{lookups} ", done.stdout + done.stderr)
        found = self.exact(daemon, lookups)
        self.assertEqual({span.attributes["network.transport"] for span in found}, {transport})
        names = collections.Counter(span.attributes["dns.question.name"] for span in found)
        self.assertEqual(set(names.values()), {lookups // 100})
        return found

    def test_exact_under_load(self):
        self.load("udp", 100_000 if FULL else 10_000, 5000)

    def test_exact_under_load_over_tcp(self):
        self.load("tcp", 100_000 if FULL else 10_000, 5000)

    def race(self, transport):
        """Thousands of lookups, of which some, how many is left to the machine, are answered before the kernel tells of the
        question: they have no length."""
        if len(os.sched_getaffinity(0)) < 2:
            self.skipTest("there is one processor")
        self.unbound()  # so that there is a server to leave out
        daemon = self.dns_daemon(self.clients_only())
        done = self.run_client([peers.build_c(self, "dns_race", "-lpthread"), transport, 5000])
        self.assertEqual(done.stdout, "5000 answered\n", done.stderr)
        found = self.exact(daemon, 5000)
        self.assertTrue(all(span.end_ns >= span.start_ns for span in found))
        self.assertEqual(self.total(daemon, "aborted.unmatched"), 0)
        if all(span.end_ns > span.start_ns for span in found):
            self.skipTest("nothing was answered that early: this kernel does not interrupt a send")

    def test_answered_before_the_question_is_seen(self):
        self.race("udp")

    def test_answered_before_the_question_is_seen_over_tcp(self):
        self.race("tcp")

    def test_durations(self):
        """At a server that takes its time each lookup lies inside of what the client itself saw, ends behind the moment
        when the server answered, and lasts as long as that took."""
        self.unbound()  # so that there is a server to leave out
        delay, lookups = 0.05, 60
        slow = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(slow.close)
        slow.bind(("127.0.0.1", 0))
        slow.settimeout(60)
        answered = []

        def serve():
            for _ in range(lookups):
                data, address = slow.recvfrom(512)
                time.sleep(delay)
                answered.append(time.time_ns())
                slow.sendto(data[:2] + b"\x81\x80" + data[4:], address)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        daemon = self.dns_daemon(self.clients_only())
        questions = " ".join(query(number, f"n{number}.test").hex() for number in range(lookups))
        done = self.run_client([peers.PYTHON, "-c", TIMED_CLIENT, slow.getsockname()[1]], input=questions)
        self.assertEqual(done.returncode, 0, done.stderr)
        thread.join(10)
        seen = [tuple(map(int, line.split())) for line in done.stdout.splitlines()]
        found = sorted(self.exact(daemon, lookups), key=lambda span: span.start_ns)
        self.assertEqual([span.attributes["dns.question.name"] for span in found],
                         [f"n{number}.test" for number in range(lookups)])
        for span, (began, ended), sent in zip(found, seen, answered, strict=True):
            self.assertGreater(span.start_ns, began - CLOCK_NS)
            self.assertLess(span.end_ns, ended + CLOCK_NS)
            self.assertLess(span.milliseconds, (ended - began) / 1e6 + 1)
            self.assertGreater(span.end_ns, sent - CLOCK_NS)
        # A client that is kept from the end of its send begins later than its server: that is rare.
        shorter = [span.milliseconds for span in found if span.milliseconds < delay * 1000]
        self.assertLessEqual(len(shorter), lookups // 20, shorter)


class DnsUnderLoad(UnderLoad, DnsCase):
    module = "dns"

    def load_peers(self):
        self.unbound()
        names = self.folder / "names"
        names.write_text("".join(f"n{index}.www.test A\n" for index in range(100)))
        command = [self.need("dnsperf"), "-s", "127.0.0.1", "-p", self.port, "-d", names, "-n", 20, "-Q", 4000, "-c", 4]

        def round_of():
            done = self.run_client(command)
            self.assertRegex(done.stdout, r"Queries completed:\s+2000 ", done.stdout + done.stderr)
            return 2000
        return round_of

    def load_daemon(self, **options):
        return self.start_daemon(targets=[self.clients_only()], **options)

    def is_operation(self, span):
        return span.attributes.get("probed.dns.response_code") == "NOERROR"

    def setting(self, number):
        return f"timeout={5000 + number}"


if __name__ == "__main__":
    unittest.main()
