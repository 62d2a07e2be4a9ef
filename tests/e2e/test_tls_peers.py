# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""TLS of more libraries and programs: what is read inside, and what cannot be read has its handshakes and is named."""

import os
import subprocess
import time
import unittest

import grpc_pairs
import languages
import peers
import test_tls_encrypted
import test_tls_go
from databases import SqlCase
from harness import FULL, accepts, free_port, wait_for
from spans import CLIENT, SERVER
from test_tls import NAME
from test_tls_plaintext import HttpsCase

REQUESTS_SESSION = """
import socket, sys
import requests
port, name, certificate, count = int(sys.argv[1]), *sys.argv[2:4], int(sys.argv[4])
look_up = socket.getaddrinfo
socket.getaddrinfo = lambda host, *rest, **more: look_up("127.0.0.1" if host == name else host, *rest, **more)
with requests.Session() as session:
    for number in range(count):
        print(session.get(f"https://{name}:{port}/number/{number}", verify=certificate).status_code)
"""


class Read(HttpsCase):
    def expect_paths(self, daemon, count, version="1.1"):
        wanted = sorted(f"/number/{number}" for number in range(count))
        for kind in (CLIENT, SERVER):
            found = self.requests_of(daemon, kind, count)
            self.assertEqual(sorted(span.path for span in found), wanted)
            self.assertEqual({span.attributes["network.protocol.version"] for span in found}, {version})
        self.assert_healthy(daemon)

    def test_gnutls_at_both_ends(self):
        port = free_port()
        server = self.spawn([self.need("gnutls-serv"), "--http", "--quiet", "-p", port, "--x509certfile", self.cert,
                             "--x509keyfile", self.key])
        wait_for("gnutls-serv to listen", lambda: accepts(port))
        client = [self.need("gnutls-cli"), f"--x509cafile={self.cert}", "--logfile=/dev/null", f"--sni-hostname={NAME}",
                  f"--verify-hostname={NAME}", "-p", str(port), "127.0.0.1"]
        daemon = self.https_daemon(port)
        for number in range(10):
            with subprocess.Popen(client, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
                process.stdin.write(f"GET /number/{number} HTTP/1.0\r\nHost: {NAME}\r\n\r\n")
                process.stdin.flush()  # and stays open: the server would reset the connection
                self.assertIn("HTTP/1.0 200 OK", process.stdout.read())
        self.expect_paths(daemon, 10, "1.0")
        self.assertEqual({span.resource["process.pid"] for span in daemon.spans(kind=SERVER)}, {server.pid})
        handshakes = [span for span in daemon.spans() if span.name.startswith("TLS ")]
        self.assertEqual(len(handshakes), 20)
        self.assert_says(handshakes, tls__established=True, probed__tls__plaintext_read=True)

    def test_requests(self):
        server = self.nginx()
        daemon = self.https_daemon(server.port)
        done = subprocess.run([peers.PYTHON, "-c", REQUESTS_SESSION, str(server.port), NAME, self.cert, "200"],
                              capture_output=True, text=True, timeout=180)
        if "No module named 'requests'" in done.stderr:
            self.skipTest("python3-requests is not installed")
        self.assertEqual(done.stdout, "200\n" * 200, done.stderr)
        self.expect_paths(daemon, 200)

    def test_http2_of_node(self):
        node, program, port = self.need("node"), peers.SERVERS / "https2.js", free_port()
        peers.server(self, [node, program, "serve", port, self.cert, self.key], port)
        daemon = self.https_daemon(port, modules=("http", "grpc", "tls"))
        requests = 2000 if FULL else 1000
        with subprocess.Popen([node, program, "get", str(port), NAME, self.cert, str(requests), "16"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
            self.assertEqual(client.stdout.readline(), f"{requests}\n")
            self.expect_paths(daemon, requests, "2")
            client.stdin.close()


class GrpcOfNode(test_tls_go.Grpc):
    """@grpc/grpc-js."""

    def command(self):
        return grpc_pairs.built("node")


class GrpcOfCxx(test_tls_go.Grpc):
    """Debian's."""

    def command(self):
        return grpc_pairs.cxx()


class OpenSsl11(SqlCase):
    def test_libpq(self):
        sources = peers.SERVERS / "openssl11"
        try:
            command = languages.built(sources, "openssl11", lambda folder: languages.python_program(sources, folder,
                                                                                                  sources / "query.py"))
        except languages.Missing as missing:
            self.skipTest(str(missing))
        self.postgres()
        self.turn_on_tls()
        script = "import sys; sys.path.insert(0, sys.argv[1]); import psycopg2, time; time.sleep(3600)"
        self.keep_mapped([peers.PYTHON, "-c", script, os.path.dirname(command[-1])], "libssl")
        daemon = self.sql_daemon()
        daemon.load("tls")
        done = self.run_client([*command, 200])
        self.assertEqual(done.stdout.split("\n")[:-2], [f"title {number}" for number in range(1, 201)], done.stderr)
        self.assertEqual(done.stdout.split("\n")[-2].split()[0], "OpenSSL")
        found = daemon.wait_spans(200, settle=0.5, kind=CLIENT)
        self.assertEqual([span.name for span in found], ["select song"] * 200)
        self.assertEqual({span.attributes["db.query.text"] for span in found}, {"select title from song where id = ?"})
        self.assertEqual(daemon.counters().get(("module:tls", "unbound"), 0), 0)
        self.assert_nothing_lost(daemon)


class Unread(test_tls_encrypted.EncryptedCase):
    def expect_unread(self, daemon, spans, processes):
        """`processes`: those that are counted; a running one is named."""
        self.assert_says(spans, tls__established=True, probed__tls__plaintext_read=False, server__address=NAME)
        wait_for("the processes to be counted", lambda: daemon.counters()[("module:tls", "no_symbols")] == len(processes))
        (tls,) = [module for module in daemon.ctl_json("modules") if module["name"] == "tls"]
        (condition,) = tls["status"]["conditions"]
        self.assertEqual((condition["type"], condition["reason"]), ("NotApplicable", "NO_SYMBOLS"))
        for process in processes:
            self.assertIn(f"(pid {process.pid})", condition["message"])
        self.assertEqual(daemon.losses(), {})

    def test_rustls(self):
        sources = peers.SERVERS / "rustls"
        try:
            command = languages.built(sources, "rustls", lambda folder: languages.rust_program(sources, folder))
        except languages.Missing as missing:
            self.skipTest(str(missing))
        authority = self.folder / "ca.der"
        self.run_openssl("x509", "-in", self.authority, "-outform", "DER", "-out", authority)
        server = self.nginx13()
        daemon = self.https_daemon(server.port)
        with subprocess.Popen([*command, f"127.0.0.1:{server.port}", NAME, authority, "20"], stdout=subprocess.PIPE,
                              text=True) as client:
            self.assertEqual(client.stdout.read(), "200\n" * 20)
        clients, servers = self.handshakes_among(daemon, 20)
        self.assert_says(servers, tls__established=True, probed__tls__plaintext_read=True)
        self.expect_unread(daemon, clients, [client])
        self.assertEqual(daemon.spans(kind=CLIENT), [])
        self.assertEqual(len(daemon.spans(kind=SERVER)), 20)

    def handshakes_among(self, daemon, count):
        """With the spans of what nginx read inside."""
        found = [span for span in daemon.wait_spans(3 * count, settle=0.5) if span.name.startswith("TLS ")]
        clients = [span for span in found if "client" in span.name]
        self.assertEqual((len(clients), len(found)), (count, 2 * count))
        return clients, [span for span in found if "server" in span.name]

    def test_grpc_wheel_of_python(self):
        sources, script = peers.SERVERS / "grpc_wheel", peers.SERVERS / "grpc_echo.py"
        try:
            command = languages.built(sources, "grpc_wheel",
                                      lambda folder: languages.python_program(sources, folder, script))
        except languages.Missing as missing:
            self.skipTest(str(missing))
        port = free_port()
        server = peers.server(self, [*command, "server", port, self.cert, self.key], port)
        daemon = self.https_daemon(port, modules=("grpc", "tls"))
        time.sleep(1.2)  # of what was probed a moment ago nothing is said
        client = peers.GrpcClient(self, port, self.authority, command=command)
        self.assertEqual(client.ask(call="say", times=20), "OK")
        clients, servers = self.handshakes(daemon)
        self.expect_unread(daemon, clients + servers, [server, client.process])
        self.assertEqual(daemon.spans(kind=CLIENT) + daemon.spans(kind=SERVER), [])


if __name__ == "__main__":
    unittest.main()
