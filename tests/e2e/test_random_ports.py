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
import mariadb
from databases import SqlCase
from harness import wait_for
from kafka_broker import KafkaCase
from name_servers import DnsCase, query
from test_tls import TlsCase

CONNECTIONS = 1000
ENDS = 2
NOTICES_OF_A_STREAM = 2  # OPEN and CLOSE
FIRST_OF_PGBENCH = 1  # it asks nothing on it
# Without a statement of its own before or after.
ASK_MARIADB = """
import sys
try:
    import pymysql
except ImportError:
    raise SystemExit(77)
for _ in range(int(sys.argv[2])):
    connection = pymysql.connect(host="127.0.0.1", port=int(sys.argv[1]), user="tester", password="secret", autocommit=None)
    connection.cursor().execute("select 1")
    connection.close()
"""
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
        for name in ("mariadbd", "mariadb", "mariadb-install-db", "openssl"):
            self.need(name)
        server = mariadb.Server()
        self.addCleanup(server.stop)
        self.mariadb = server.port
        self.grpc, _ = peers.grpc_server(self)

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

    def look_up_by_datagrams(self):
        """Each from a socket of its own; a connected one, whose port is known at both ends."""
        for number in range(CONNECTIONS):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.settimeout(20)
                client.connect(("127.0.0.1", self.names))
                client.send(query(number, "n1.www.test"))
                self.assertEqual(struct.unpack(">H", client.recv(512)[:2]), (number,))

    def ask_mariadb(self):
        done = subprocess.run([peers.PYTHON, "-c", ASK_MARIADB, str(self.mariadb), str(CONNECTIONS)], capture_output=True,
                              text=True, timeout=120)
        if done.returncode == 77:
            self.skipTest("PyMySQL is not installed")
        self.assertEqual(done.returncode, 0, done.stderr)

    def call(self):
        client = peers.GrpcClient(self, self.grpc)
        self.assertEqual(client.ask(call="connections", times=CONNECTIONS), "OK")

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
        """How many spans each server has from each module, without the requests inside TLS."""
        found = collections.Counter((self.server_of(span, ports), span.scope) for span in daemon.spans())
        del found["nginx, TLS", "probed.http"]
        return found

    def server_of(self, span, ports):
        name, _ = ports[span.attributes["server.port"]]
        return f"{name}, {span.attributes['network.transport']}" if name == "unbound" else name

    def test_none_is_taken_for_another(self):
        ports = {self.web: ("nginx", "http"), self.h2: ("nginx, h2", "grpc"), self.https: ("nginx, TLS", "tls"),
                 self.names: ("unbound", "dns"), self.database: ("postgres", "sql"), self.broker.port: ("kafka", "kafka"),
                 self.mariadb: ("mariadb", "sql"), self.grpc: ("grpc", "grpc")}
        daemon = self.start_daemon(targets=[{"name": "servers", "ports": list(ports)}])
        modules = sorted({module for _, module in ports.values()})
        for module in modules:
            servers = ["--set", "server_spans=true"] if module in ("dns", "sql", "kafka") else []
            daemon.load(module, *servers, *(["--set", "cluster_spans=true"] if module == "kafka" else []))
        self.h2load("http", self.web, "--h1")
        self.h2load("http", self.h2)
        self.h2load("https", self.https, "--h1")
        self.look_up()
        self.look_up_by_datagrams()
        self.ask_mariadb()
        self.call()
        self.port = self.database
        self.ask_the_database()
        self.ask_the_broker()

        expected = {(name, f"probed.{module}"): ENDS * CONNECTIONS for name, module in ports.values() if name != "unbound"}
        expected.update({(f"unbound, {way}", "probed.dns"): ENDS * CONNECTIONS for way in ("tcp", "udp")})
        with contextlib.suppress(AssertionError):  # what is missing is said below
            wait_for("all spans", lambda: self.found(daemon, ports) == expected)
        time.sleep(1)  # for those that are too many
        self.assertEqual(self.found(daemon, ports), expected, daemon.counters())
        self.assertEqual(daemon.losses(), {})
        counters = daemon.counters()
        notices = {module: counters[f"module:{module}", "notices"] for module in modules if module != "http"}
        each = ENDS * NOTICES_OF_A_STREAM
        # http also has the requests inside TLS. Of lookups by datagrams the server has one socket, which is still open.
        self.assertEqual(notices, {"dns": (each + NOTICES_OF_A_STREAM) * CONNECTIONS + 1, "grpc": each * 2 * CONNECTIONS,
                                   "kafka": each * CONNECTIONS, "sql": each * (2 * CONNECTIONS + FIRST_OF_PGBENCH),
                                   "tls": each * CONNECTIONS})


if __name__ == "__main__":
    unittest.main()
