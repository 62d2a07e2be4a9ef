# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""All modules at once: every protocol on a port that says nothing of it, 1000 connections of each, none taken for another."""

import collections
import contextlib
import socket
import struct
import subprocess
import time
import unittest

import peers
from databases import SqlCase
from harness import wait_for
from kafka_broker import KafkaCase
from name_servers import DnsCase
from test_tls import TlsCase

CONNECTIONS = 1000
ENDS = 2
NOTICES_OF_A_STREAM = 2  # OPEN and CLOSE
FIRST_OF_PGBENCH = 1  # it asks nothing on it
API_VERSIONS = struct.pack(">HHIH", 18, 0, 7, 4) + b"test"  # key, version, correlation id, client id


class EveryProtocol(KafkaCase, SqlCase, DnsCase, TlsCase):
    """Borrows the servers of the modules' own tests; each of them sets `port`."""

    def setUp(self):
        super().setUp()
        self.web = peers.Nginx(self).port
        self.h2 = peers.Nginx(self, h2=True).port
        self.https = peers.Nginx(self, tls=(self.cert, self.key)).port
        self.unbound()
        self.names = self.port
        self.postgres()
        self.database = self.port

    def h2load(self, scheme, port, *options):
        """A connection for each request, 500 more each second: what arrives is the question here, not how much of it."""
        done = subprocess.run([self.need("h2load"), *options, "-n", str(CONNECTIONS), "-c", str(CONNECTIONS), "-t", "1",
                               "--rate", "500", f"{scheme}://127.0.0.1:{port}/load"], capture_output=True, text=True, timeout=120)
        self.assertIn(f"{CONNECTIONS} succeeded, 0 failed", done.stdout, done.stdout + done.stderr)

    def look_up(self):
        """Ten at a time, until each name had a connection of its own."""
        names = self.folder / "names"
        names.write_text("".join(f"n{number}.www.test A\n" for number in range(10)))
        for _ in range(CONNECTIONS // 10):
            done = self.run_client([self.need("dnsperf"), "-s", "127.0.0.1", "-p", self.names, "-d", names, "-m", "tcp",
                                    "-n", 1, "-c", 10])
            self.assertRegex(done.stdout, r"Queries completed:\s+10 ", done.stdout + done.stderr)

    def ask_the_database(self):
        script = self.folder / "script.sql"
        script.write_text("select 1;\n")
        done = self.run_client([self.postgres_program("pgbench"), "-n", "-C", "-f", script, "-c", 10, "-t",
                                CONNECTIONS // 10])
        self.assertIn(f"{CONNECTIONS}/{CONNECTIONS}", done.stdout, done.stderr)

    def ask_the_broker(self):
        request = struct.pack(">I", len(API_VERSIONS)) + API_VERSIONS
        for _ in range(CONNECTIONS):
            with peers.connect(self.broker.port) as connection:
                connection.sendall(request)
                size, correlation = struct.unpack(">II", connection.recv(8, socket.MSG_WAITALL))
                self.assertEqual(correlation, 7)
                connection.recv(size - 4, socket.MSG_WAITALL)

    def found(self, daemon, ports):
        """How many spans the port of each protocol has from each module, without the requests inside TLS."""
        found = collections.Counter((ports[span.attributes["server.port"]], span.scope) for span in daemon.spans())
        del found["tls", "probed.http"]
        return found

    def test_none_is_taken_for_another(self):
        ports = {self.web: "http", self.h2: "grpc", self.https: "tls", self.names: "dns", self.database: "sql",
                 self.broker.port: "kafka"}
        daemon = self.start_daemon(targets=[{"name": "servers", "ports": list(ports)}])
        for module in ports.values():
            servers = ["--set", "server_spans=true"] if module in ("dns", "sql", "kafka") else []
            daemon.load(module, *servers, *(["--set", "cluster_spans=true"] if module == "kafka" else []))
        self.h2load("http", self.web, "--h1")
        self.h2load("http", self.h2)
        self.h2load("https", self.https, "--h1")
        self.look_up()
        self.port = self.database
        self.ask_the_database()
        self.ask_the_broker()

        expected = {(module, f"probed.{module}"): ENDS * CONNECTIONS for module in ports.values()}
        with contextlib.suppress(AssertionError):  # what is missing is said below
            wait_for("all spans", lambda: self.found(daemon, ports) == expected)
        time.sleep(1)  # for those that are too many
        self.assertEqual(self.found(daemon, ports), expected, daemon.counters())
        self.assertEqual(daemon.losses(), {})
        counters = daemon.counters()
        streams = {module: counters[f"module:{module}", "notices"] / NOTICES_OF_A_STREAM / ENDS
                   for module in ports.values() if module != "http"}  # that one also has the requests inside TLS
        self.assertEqual(streams, {**dict.fromkeys(streams, CONNECTIONS), "sql": CONNECTIONS + FIRST_OF_PGBENCH})


if __name__ == "__main__":
    unittest.main()
