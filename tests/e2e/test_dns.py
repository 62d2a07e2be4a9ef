# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""Lookups of unmodified clients at an unmodified name server (unbound), as CLIENT spans. Where a client cannot be told
another port, the server listens on an address of its own."""

import collections
import os
import pathlib
import re
import socket
import struct
import subprocess
import time
import unittest

import peers
from harness import LiveCase, free_port, wait_for
from spans import CLIENT, SERVER

CONFIG = """
server:
  interface: {interface}@{port}
  access-control: 127.0.0.0/8 allow
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
  local-data: "www.test. 60 IN A 192.0.2.1"
  local-data: "www.test. 60 IN A 192.0.2.2"
  local-data: "www.test. 60 IN AAAA 2001:db8::1"
  local-data: "only4.test. 60 IN A 192.0.2.4"
  local-data: "text.test. 60 IN TXT 'a text'"
  local-data-ptr: "192.0.2.1 www.test"
{zones}
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
    def unbound(self, interface="127.0.0.1", port=None, zones=""):
        program = self.need("unbound")
        self.port = port or free_port()
        path = self.folder / "unbound.conf"
        path.write_text(CONFIG.format(interface=interface, port=self.port, folder=self.folder, zones=zones))
        self.server = self.spawn([program, "-d", "-c", path])
        wait_for("the name server", lambda: self.answers(interface))
        return self.server

    def answers(self, address):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
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

    def dig(self, *arguments):
        return self.run_client([self.need("dig"), "@127.0.0.1", "-p", self.port, "+noedns", *arguments])

    def assert_nothing_lost(self, daemon):
        self.assertEqual(daemon.losses(), {})
        self.assertTrue(daemon.ctl_json("ledger")["closes"])

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


if __name__ == "__main__":
    unittest.main()
