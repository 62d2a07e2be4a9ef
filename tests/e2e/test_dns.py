# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""Lookups of unmodified clients at an unmodified name server (unbound), as CLIENT spans. Where a client cannot be told
another port, the server listens on an address of its own."""

import collections
import contextlib
import http.client
import os
import socket
import time
import unittest

import peers
from harness import FULL, free_port, strangers, wait_for
from name_servers import DnsCase, query
from spans import CLIENT, SERVER


class Dns(DnsCase):
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
                  "time.sleep(3)\n")
        self.run_client([peers.PYTHON, "-c", script, port, query(7, "silent.test").hex()])
        (span,) = daemon.wait_spans(1, settle=0.5)
        self.assertEqual((span.attributes["error.type"], span.status["code"]), ("timeout", 2))
        self.assertEqual(span.attributes["probed.dns.retransmissions"], 1)
        self.assertEqual(span.attributes["server.port"], port)
        self.assertGreater(span.milliseconds, 890)
        self.assertLess(span.milliseconds, 2900)  # at its time, and not when the client went
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
        daemon = self.dns_daemon({"name": "test", "exclude": True, "pids": [os.getpid()]}, strangers(),
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

    def resolving_server(self):
        """An HTTP server that asks the name server once for each request. Returns its port."""
        port = free_port()
        script = ("import http.server, socket, sys\n"
                  "class Handler(http.server.BaseHTTPRequestHandler):\n"
                  "  protocol_version, wbufsize, disable_nagle_algorithm = 'HTTP/1.1', -1, True\n"
                  "  def do_GET(self):\n"
                  "    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:\n"
                  "      s.sendto(bytes.fromhex(sys.argv[3]), ('127.0.0.1', int(sys.argv[2])))\n"
                  "      s.recvfrom(512)\n"
                  "    self.send_response(200); self.send_header('Content-Length', '0'); self.end_headers()\n"
                  "http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), Handler).serve_forever()\n")
        peers.server(self, [peers.PYTHON, "-c", script, port, self.port, query(9, "only4.test").hex()], port)
        return port

    def check_lookups_are_children(self, modules):
        """Each module has its own sockets, and the thread says whose request the lookup is for: on one connection and on
        one for each request, faster than the daemon looks."""
        self.unbound()
        port = self.resolving_server()
        daemon = self.start_daemon(targets=[self.clients_only()])
        for module in modules:
            daemon.load(module)
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
            for number in range(30):
                connection.request("GET", f"/kept/{number}")
                self.assertEqual(connection.getresponse().read(), b"")
        for number in range(30):
            with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
                connection.request("GET", f"/alone/{number}")
                self.assertEqual(connection.getresponse().read(), b"")
        daemon.wait_spans(120, settle=0.5)
        servers = {span.span_id: span for span in daemon.spans(kind=SERVER)}
        lookups = daemon.spans(kind=CLIENT)
        self.assertEqual((len(servers), len(lookups)), (60, 60))
        parents = [servers[lookup.parent_id] for lookup in lookups]  # each has one
        self.assertEqual(len({parent.span_id for parent in parents}), 60)
        for lookup, parent in zip(lookups, parents):
            self.assertEqual(lookup.trace_id, parent.trace_id)
            self.assertLessEqual(parent.start_ns, lookup.start_ns)
            self.assertLessEqual(lookup.end_ns, parent.end_ns)
        self.assert_nothing_lost(daemon)

    def test_lookup_made_for_a_request_is_its_child(self):
        self.check_lookups_are_children(["http", "dns"])

    def test_lookup_is_a_child_whichever_module_came_first(self):
        self.check_lookups_are_children(["dns", "http"])

    def test_saturated(self):
        """As fast as it goes: what is not a span is counted."""
        self.unbound()
        daemon = self.dns_daemon(self.clients_only(), config=("--set", "timeout=1000"))
        program = peers.build_c(self, "dns_vectors")
        rounds = 10_000 if FULL else 3000  # of ten lookups
        done = self.run_client([program, self.port, rounds, 10, "www.test"])
        self.assertEqual(done.returncode, 0, done.stderr)
        found = daemon.wait_quiet(2.0)  # the lookups whose answer was lost end in the meantime, by their timeout
        lost = sum(daemon.losses().values())
        print(f"saturated: {len(found)} spans, {lost} records counted as lost, of {10 * rounds} lookups")
        self.assertEqual(len({span.span_id for span in found}), len(found))
        self.assertGreaterEqual(len(found) + lost, 10 * rounds)
        if lost == 0:
            self.assertEqual(len(found), 10 * rounds)
        self.assertTrue(daemon.ctl_json("ledger")["closes"])

    def test_exact_count_over_many_sockets(self):
        """Each lookup on a socket of its own, as resolver libraries do it. No socket stays behind."""
        self.unbound()
        daemon = self.dns_daemon(self.clients_only())
        lookups = 5000
        script = ("import socket, sys, struct\n"
                  "port, count, question = int(sys.argv[1]), int(sys.argv[2]), bytes.fromhex(sys.argv[3])\n"
                  "for number in range(count):\n"
                  "  with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:\n"
                  "    s.settimeout(30)\n"
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
