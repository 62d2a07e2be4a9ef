# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""Lookups of unmodified clients at an unmodified name server (unbound), as CLIENT spans. Where a client cannot be told
another port, the server listens on an address of its own."""

import collections
import os
import socket
import struct
import subprocess
import time
import unittest
import urllib.request

import peers
from harness import LiveCase, free_port, wait_for
from spans import CLIENT, SERVER

CONFIG = """
server:
  interface: {interface}@{port}
  access-control: 127.0.0.0/8 allow
  access-control: ::1 allow
  username: ""
  chroot: ""
  directory: "{folder}"
  pidfile: ""
  use-syslog: no
  logfile: ""
  do-daemonize: no
  num-threads: 1
  so-rcvbuf: 4m
  do-not-query-localhost: no
  module-config: "iterator"
  local-zone: "test." static
  local-zone: "www.test." redirect
  local-zone: "refused." refuse
  outbound-msg-retry: 1
  local-data: "www.test. 60 IN A 192.0.2.1"
  local-data: "www.test. 60 IN A 192.0.2.2"
  local-data: "www.test. 60 IN AAAA 2001:db8::1"
  local-data: "only4.test. 60 IN A 192.0.2.4"
  local-data: "text.test. 60 IN TXT 'a text'"
  local-data-ptr: "192.0.2.1 www.test"
remote-control:
  control-enable: no
# Whoever asks for these names is told SERVFAIL: nobody listens there.
forward-zone:
  name: "broken."
  forward-addr: 127.0.0.1@1
"""


def query(number, name, kind=1):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack(">6H", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", kind, 1)


class Dns(LiveCase):
    def unbound(self, interface="127.0.0.1", port=None):
        program = self.need("unbound")
        self.port = port or free_port()
        path = self.folder / "unbound.conf"
        path.write_text(CONFIG.format(interface=interface, port=self.port, folder=self.folder))
        self.server = self.spawn([program, "-d", "-c", path])
        wait_for("the name server", lambda: self.answers(interface))
        return self.server

    def answers(self, address):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as client:
            client.settimeout(0.2)
            client.connect((address, self.port))
            try:
                client.send(query(1, "www.test"))
                return client.recv(512)
            except OSError:
                return None

    def dns_daemon(self, *targets, config=(), **options):
        daemon = self.start_daemon(targets=list(targets), **options)
        daemon.load("dns", *config)
        return daemon

    def clients_only(self):
        """Everything but this test and the server."""
        return {"name": "clients", "exclude": True, "pids": [os.getpid(), self.server.pid]}

    def run_client(self, command, **options):
        return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60, **options)

    def dig(self, *arguments, server="127.0.0.1"):
        return self.run_client([self.need("dig"), f"@{server}", "-p", self.port, "+noedns", *arguments])

    def assert_nothing_lost(self, daemon):
        self.assertEqual(daemon.losses(), {})
        self.assertTrue(daemon.ctl_json("ledger")["closes"])

    def total(self, daemon, counter):
        return sum(value for (_, name), value in daemon.counters().items() if name == counter)

    def test_dig(self):
        self.unbound()
        daemon = self.dns_daemon(self.clients_only())
        before = time.time_ns()
        self.assertIn("192.0.2.1", self.dig("www.test").stdout)
        after = time.time_ns()
        (span,) = daemon.wait_spans(1, settle=0.5)
        self.assertEqual((span.kind, span.name), (CLIENT, "DNS lookup www.test"))
        expected = {"dns.question.name": "www.test", "server.address": "127.0.0.1", "server.port": self.port,
                    "network.transport": "udp", "network.type": "ipv4", "probed.dns.question.type": "A",
                    "probed.dns.response_code": "NOERROR"}
        self.assertEqual({key: span.attributes.get(key) for key in expected}, expected)
        self.assertEqual(sorted(span.attributes["dns.answers"]), ["192.0.2.1", "192.0.2.2"])
        self.assertNotIn("error.type", span.attributes)
        self.assertLess(before - 5_000_000, span.start_ns)
        self.assertLess(span.end_ns, after + 5_000_000)
        self.assertEqual(os.path.basename(span.resource["process.executable.path"]), "dig")
        self.assert_nothing_lost(daemon)

    def test_names_of_errors(self):
        self.unbound()
        daemon = self.dns_daemon(self.clients_only())
        self.assertIn("NXDOMAIN", self.dig("missing.test").stdout)
        self.assertIn("SERVFAIL", self.dig("host.broken", "+timeout=30").stdout)
        self.assertIn("REFUSED", self.dig("host.refused").stdout)
        self.assertIn("192.0.2.4", self.dig("only4.test").stdout)
        self.assertIn("NOERROR", self.dig("only4.test", "AAAA").stdout)
        found = {(span.attributes["dns.question.name"], span.attributes["probed.dns.question.type"]):
                 (span.attributes.get("error.type"), span.attributes["probed.dns.response_code"], span.status.get("code"))
                 for span in daemon.wait_spans(5, settle=0.5)}
        self.assertEqual(found, {
            ("missing.test", "A"): ("host_not_found", "NXDOMAIN", 2),
            ("host.broken", "A"): ("try_again", "SERVFAIL", 2),
            ("host.refused", "A"): ("no_recovery", "REFUSED", 2),
            ("only4.test", "A"): (None, "NOERROR", None),
            ("only4.test", "AAAA"): (None, "NOERROR", None),  # no such record: an answer, and not an error
        })
        self.assert_nothing_lost(daemon)

    def test_reverse_lookup_and_text(self):
        self.unbound()
        daemon = self.dns_daemon(self.clients_only())
        self.assertIn("www.test", self.dig("-x", "192.0.2.1").stdout)
        self.assertIn("a text", self.dig("text.test", "TXT").stdout)
        names = sorted(span.name for span in daemon.wait_spans(2, settle=0.5))
        self.assertEqual(names, ["DNS lookup text.test", "DNS reverse lookup 1.2.0.192.in-addr.arpa"])

    def resolver_of_its_own(self, interface):
        """A command's prefix under which the C library asks `interface`, port 53."""
        path = self.folder / "resolv.conf"
        path.write_text(f"nameserver {interface}\noptions timeout:2 attempts:2\n")
        switch = self.folder / "nsswitch.conf"
        switch.write_text("hosts: dns\n")
        mounts = f"mount --bind {path} /etc/resolv.conf && mount --bind {switch} /etc/nsswitch.conf && exec \"$@\""
        return [self.need("unshare"), "-m", "sh", "-c", mounts, "sh"]

    def test_getent_asks_for_both_families_in_one_call(self):
        """glibc sends both queries by one sendmmsg, on one socket."""
        self.unbound("127.0.53.1", 53)
        daemon = self.dns_daemon(self.clients_only())
        done = self.run_client([*self.resolver_of_its_own("127.0.53.1"), "getent", "ahosts", "www.test"])
        self.assertIn("192.0.2.1", done.stdout)
        found = daemon.wait_spans(2, settle=0.5)
        types = collections.Counter(span.attributes["probed.dns.question.type"] for span in found)
        self.assertEqual(types, {"A": 1, "AAAA": 1})
        (six,) = daemon.spans(probed__dns__question__type="AAAA")
        self.assertEqual(six.attributes["dns.answers"], ["2001:db8::1"])
        self.assertEqual({span.attributes["server.port"] for span in found}, {53})
        self.assert_nothing_lost(daemon)

    def test_python_asks_by_the_c_library(self):
        self.unbound("127.0.53.2", 53)
        daemon = self.dns_daemon(self.clients_only())
        script = "import socket; print(socket.gethostbyname('only4.test'))"
        done = self.run_client([*self.resolver_of_its_own("127.0.53.2"), peers.PYTHON, "-c", script])
        self.assertIn("192.0.2.4", done.stdout)
        (span,) = daemon.wait_spans(1, settle=0.5)
        self.assertEqual((span.name, span.attributes["dns.answers"]), ("DNS lookup only4.test", ["192.0.2.4"]))
        self.assertIn("python", span.resource["process.executable.path"])

    def test_nobody_answers(self):
        """A lookup without an answer is an error when its time is up, and an earlier one when its client gives up."""
        self.unbound()
        daemon = self.dns_daemon(self.clients_only(), config=("--set", "timeout=700"))
        silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(silent.close)
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        script = ("import socket, sys, time\n"
                  "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                  "data = bytes.fromhex(sys.argv[2])\n"
                  "for _ in range(2): s.sendto(data, ('127.0.0.1', int(sys.argv[1]))); time.sleep(0.2)\n"
                  "time.sleep(2)\n")
        self.run_client([peers.PYTHON, "-c", script, port, query(7, "silent.test").hex()])
        (span,) = daemon.wait_spans(1, settle=0.5)
        self.assertEqual((span.attributes["error.type"], span.status["code"]), ("timeout", 2))
        self.assertEqual(span.attributes["probed.dns.retransmissions"], 1)
        self.assertEqual(span.attributes["server.port"], port)
        self.assertGreater(span.milliseconds, 890)
        self.assertLess(span.milliseconds, 1200)
        self.run_client([self.need("dig"), "@127.0.0.1", "-p", port, "+tries=1", "+timeout=1", "gone.test"])
        (span,) = daemon.wait_spans(1, settle=0.5, dns__question__name="gone.test")
        self.assertEqual(span.attributes["error.type"], "timeout")
        self.assert_nothing_lost(daemon)

    def test_server_spans(self):
        self.unbound()
        daemon = self.dns_daemon({"name": "server", "pids": [self.server.pid]}, config=("--set", "server_spans=true"))
        for number in range(20):
            self.dig("www.test")
        found = daemon.wait_spans(20, settle=0.5)
        self.assertEqual((len(found), {span.kind for span in found}), (20, {SERVER}))
        for span in found:
            self.assertEqual(span.attributes["client.address"], "127.0.0.1")
            self.assertGreater(span.attributes["client.port"], 0)
            self.assertEqual(span.attributes["server.port"], self.port)
        self.assertGreater(len({span.attributes["client.port"] for span in found}), 1)
        self.assert_nothing_lost(daemon)

    def test_the_server_itself_makes_no_spans_by_default(self):
        self.unbound()
        daemon = self.dns_daemon({"name": "server", "pids": [self.server.pid]})
        self.dig("www.test")
        wait_for("both messages", lambda: self.total(daemon, "ignored.configured") == 2)
        self.assertEqual(daemon.spans(), [])
        self.assert_nothing_lost(daemon)

    def test_both_ends_over_ipv6(self):
        self.unbound("::1")
        daemon = self.dns_daemon({"name": "test", "exclude": True, "pids": [os.getpid()]},
                                 config=("--set", "server_spans=true"))
        self.assertIn("192.0.2.4", self.dig("only4.test", server="::1").stdout)
        daemon.wait_spans(2, settle=0.5)
        (client,) = daemon.spans(kind=CLIENT)
        (server,) = daemon.spans(kind=SERVER)
        expected = {"server.address": "::1", "server.port": self.port, "network.type": "ipv6"}
        self.assertEqual({key: client.attributes.get(key) for key in expected}, expected)
        self.assertEqual(server.attributes["client.address"], "::1")
        self.assertEqual(server.attributes["dns.answers"], ["192.0.2.4"])
        self.assert_nothing_lost(daemon)

    def test_lookup_made_for_a_request_is_its_child(self):
        """Beside http: each module has its own sockets, and the thread says whose request the lookup is for."""
        self.unbound()
        port = free_port()
        script = ("import http.server, socket, sys\n"
                  "class Handler(http.server.BaseHTTPRequestHandler):\n"
                  "  def do_GET(self):\n"
                  "    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:\n"
                  "      s.sendto(bytes.fromhex(sys.argv[3]), ('127.0.0.1', int(sys.argv[2])))\n"
                  "      s.recvfrom(512)\n"
                  "    self.send_response(200); self.send_header('Content-Length', '0'); self.end_headers()\n"
                  "http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), Handler).serve_forever()\n")
        peers.server(self, [peers.PYTHON, "-c", script, port, self.port, query(9, "only4.test").hex()], port)
        daemon = self.start_daemon(targets=[self.clients_only()])
        daemon.load("http")
        daemon.load("dns")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/look", timeout=10) as response:
            self.assertEqual(response.status, 200)
        daemon.wait_spans(2, settle=0.5)
        (server,) = daemon.spans(kind=SERVER)
        (lookup,) = daemon.spans(kind=CLIENT)
        self.assertEqual((server.path, lookup.name), ("/look", "DNS lookup only4.test"))
        self.assertEqual((lookup.trace_id, lookup.parent_id), (server.trace_id, server.span_id))
        self.assert_nothing_lost(daemon)

    def test_saturated(self):
        """As fast as it goes: what is not a span is counted."""
        self.unbound()
        daemon = self.dns_daemon(self.clients_only(), config=("--set", "timeout=1000"))
        program = peers.build_c(self, "dns_vectors")
        done = self.run_client([program, self.port, 10_000, 10, "www.test"])
        self.assertEqual(done.returncode, 0, done.stderr)
        found = daemon.wait_spans(1, settle=5.0)
        lost = sum(daemon.losses().values())
        print(f"saturated: {len(found)} spans, {lost} records counted as lost, of 100000 lookups")
        self.assertEqual(len({span.span_id for span in found}), len(found))
        self.assertGreaterEqual(len(found) + lost, 100_000)
        if lost == 0:
            self.assertEqual(len(found), 100_000)
        self.assertTrue(daemon.ctl_json("ledger")["closes"])

    def exact(self, daemon, lookups):
        found = daemon.wait_spans(lookups, seconds=60, settle=1.0)
        self.assertEqual(len(found), lookups)
        self.assertEqual(len({span.span_id for span in found}), lookups)
        self.assertEqual({span.attributes["probed.dns.response_code"] for span in found}, {"NOERROR"})
        self.assert_nothing_lost(daemon)
        return found

    def test_exact_count_over_many_sockets(self):
        """Each lookup on a socket of its own, as resolver libraries do it. No socket stays behind."""
        self.unbound()
        daemon = self.dns_daemon(self.clients_only())
        lookups = 5000
        script = ("import socket, sys, struct\n"
                  "port, count, question = int(sys.argv[1]), int(sys.argv[2]), bytes.fromhex(sys.argv[3])\n"
                  "for number in range(count):\n"
                  "  with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:\n"
                  "    s.settimeout(5)\n"
                  "    s.connect(('127.0.0.1', port))\n"
                  "    s.send(struct.pack('>H', number) + question[2:])\n"
                  "    s.recv(512)\n")
        done = self.run_client([peers.PYTHON, "-c", script, self.port, lookups, query(0, "www.test").hex()])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.exact(daemon, lookups)

    def test_exact_count_with_vectors_of_messages(self):
        """Many messages by one system call, in both directions, on one socket that is not connected."""
        self.unbound()
        daemon = self.dns_daemon(self.clients_only())
        program = peers.build_c(self, "dns_vectors")
        done = self.run_client([program, self.port, 500, 10, "www.test"])
        self.assertEqual(done.returncode, 0, done.stderr)
        found = self.exact(daemon, 5000)
        names = collections.Counter(span.attributes["dns.question.name"] for span in found)
        self.assertEqual(names, {f"n{index}.www.test": 500 for index in range(10)})
        self.assertEqual({span.attributes["server.port"] for span in found}, {self.port})


if __name__ == "__main__":
    unittest.main()
