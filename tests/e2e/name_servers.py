# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""Name servers to be asked, and what a case of the dns module needs around them."""

import os
import socket
import struct
import subprocess

from harness import LiveCase, free_port, strangers, wait_for

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
  local-data: "large.test. 60 IN TXT 'part 0'"
{large}
  local-data-ptr: "192.0.2.1 www.test"
remote-control:
  control-enable: no
# Whoever asks for these names is told SERVFAIL: nobody listens there.
forward-zone:
  name: "broken."
  forward-addr: 127.0.0.1@1
"""
# Too many for 512 bytes.
LARGE = "\n".join(f"  local-data: \"large.test. 60 IN TXT 'part {index} {'t' * 100}'\"" for index in range(1, 10))
HOSTS = "".join(f"192.0.2.{index % 200 + 1} n{index}.www.test\n" for index in range(2000))


def query(number, name, kind=1):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack(">6H", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", kind, 1)


class DnsCase(LiveCase):
    def unbound(self, interface="127.0.0.1", port=None):
        program = self.need("unbound")
        self.port = port or free_port()
        path = self.folder / "unbound.conf"
        path.write_text(CONFIG.format(interface=interface, port=self.port, folder=self.folder, large=LARGE))
        self.server = self.spawn([program, "-d", "-c", path])
        wait_for("the name server", lambda: self.answers(interface))
        return self.server

    def dnsmasq(self):
        """Another one: authority for a zone with HOSTS, which it hands out whole."""
        program = self.need("dnsmasq")
        self.port = free_port()
        (self.folder / "hosts").write_text(HOSTS)
        self.server = self.spawn([
            program, "--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root", "--pid-file=",
            f"--port={self.port}", "--listen-address=127.0.0.1", "--bind-interfaces", "--host-record=www.test,192.0.2.9",
            "--auth-server=ns.test,127.0.0.1", "--auth-zone=www.test,192.0.2.0/24", "--auth-peer=127.0.0.1",
            "--auth-sec-servers=ns2.test", f"--addn-hosts={self.folder}/hosts"])
        wait_for("the name server", lambda: self.answers("127.0.0.1"))
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
        """Everything but this test, the server, and whoever else looks something up on this machine."""
        return {"name": "clients", "exclude": True, "pids": [os.getpid(), self.server.pid, *strangers()["pids"]]}

    def run_client(self, command, **options):
        return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60, **options)

    def dig(self, *arguments, server="127.0.0.1"):
        return self.run_client([self.need("dig"), f"@{server}", "-p", self.port, "+noedns", *arguments])

    def assert_nothing_lost(self, daemon):
        self.assertEqual(daemon.losses(), {})
        self.assertTrue(daemon.ctl_json("ledger")["closes"])

    def total(self, daemon, counter):
        return sum(value for (_, name), value in daemon.counters().items() if name == counter)

    def resolver_of_its_own(self, interface, options=""):
        """A command's prefix under which resolvers ask `interface`, port 53."""
        path = self.folder / "resolv.conf"
        path.write_text(f"nameserver {interface}\noptions timeout:10 attempts:2 {options}\n")
        switch = self.folder / "nsswitch.conf"
        switch.write_text("hosts: dns\n")
        mounts = f"mount --bind {path} /etc/resolv.conf && mount --bind {switch} /etc/nsswitch.conf && exec \"$@\""
        return [self.need("unshare"), "-m", "sh", "-c", mounts, "sh"]

    def exact(self, daemon, lookups):
        found = daemon.wait_spans(lookups, seconds=60, settle=1.0)
        self.assertEqual(len(found), lookups)
        self.assertEqual(len({span.span_id for span in found}), lookups)
        self.assertEqual({span.attributes.get("probed.dns.response_code") for span in found}, {"NOERROR"}, daemon.counters())
        self.assert_nothing_lost(daemon)
        return found
