# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""TLS handshakes of unmodified clients and servers: one span at each end, what it says, and how it fails."""

import functools
import os
import shutil
import socket
import ssl
import subprocess
import unittest
import urllib.request

import peers
from harness import FULL, LiveCase, accepts, folder_of_file, free_port, strangers, wait_for
from under_load import Overflow, UnderLoad

INTERNAL = 1
NAME = "shop.test"
SUBJECT = f"CN={NAME}"
HANDSHAKES = 1000 if FULL else 300


@functools.cache
def secrets(openssl):
    """A certificate and its key, made once: each test has a copy."""
    folder = folder_of_file("probed-tls.")
    subprocess.run([openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / "key.pem", "-out",
                    folder / "cert.pem", "-days", "30", "-subj", f"/CN={NAME}", "-addext",
                    f"subjectAltName=DNS:{NAME}"], check=True, capture_output=True)
    return folder


class TlsCase(LiveCase):
    def setUp(self):
        super().setUp()
        self.openssl = self.need("openssl")
        self.cert, self.key = self.folder / "cert.pem", self.folder / "key.pem"
        for name in ("cert.pem", "key.pem"):
            shutil.copy(secrets(self.openssl) / name, self.folder)

    def server(self, *arguments):
        """openssl s_server; it answers each request with a page."""
        port = free_port()
        process = self.spawn([self.openssl, "s_server", "-accept", f"127.0.0.1:{port}", "-cert", self.cert, "-key",
                              self.key, "-www", "-quiet", *arguments])
        wait_for("s_server to listen", lambda: accepts(port))
        return port, process

    def daemon_for(self, *ports, **options):
        daemon = self.start_daemon(targets=[{"name": "under_test", "ports": list(ports)}, strangers()], **options)
        daemon.load("tls")
        return daemon

    def client(self, port, *arguments, name=NAME):
        """openssl s_client: a handshake, a request, the answer."""
        named = ["-servername", name] if name else ["-noservername"]
        return subprocess.run([self.openssl, "s_client", "-connect", f"127.0.0.1:{port}", "-quiet", *named, *arguments],
                              input="GET / HTTP/1.0\r\n\r\n", capture_output=True, text=True, timeout=60)

    def curl(self, port, *arguments, path="/"):
        return subprocess.run([self.need("curl"), "-s", "-S", "--cacert", self.cert, "--resolve",
                               f"{NAME}:{port}:127.0.0.1", *arguments, f"https://{NAME}:{port}{path}"],
                              capture_output=True, text=True, timeout=60)

    def both_ends(self, daemon, count=1):
        """The spans of the clients and of the servers, as many of each, and that nothing was lost."""
        found = daemon.wait_spans(2 * count, settle=0.3)
        clients = [span for span in found if span.name.startswith("TLS client handshake")]
        servers = [span for span in found if span.name == "TLS server handshake"]
        self.assertEqual((len(clients), len(servers)), (count, count), found)
        self.assertEqual({span.kind for span in found}, {INTERNAL})
        self.assertEqual(daemon.losses(), {})
        doctor = daemon.ctl("doctor", check=False)
        self.assertEqual(doctor.returncode, 0, doctor.stdout + doctor.stderr)
        return clients, servers

    def assert_says(self, spans, **wanted):
        for span in spans:
            said = {key: span.attributes.get(key.replace("__", ".")) for key in wanted}
            self.assertEqual(said, wanted, span.attributes)


class Handshakes(TlsCase):
    def test_tls13(self):
        port, process = self.server("-tls1_3")
        daemon = self.daemon_for(port)
        self.client(port, "-groups", "X25519")
        clients, servers = self.both_ends(daemon)
        self.assertEqual(clients[0].name, f"TLS client handshake {NAME}")
        self.assert_says(clients + servers, tls__protocol__version="1.3", tls__protocol__name="tls",
                         tls__cipher="TLS_AES_256_GCM_SHA384", tls__curve="x25519", tls__established=True,
                         tls__resumed=False, server__address=NAME, server__port=port, error__type=None,
                         network__peer__address="127.0.0.1")
        self.assert_says(clients, tls__server__subject=SUBJECT)  # test_tls_encrypted.py has more of it
        self.assert_says(servers, tls__server__subject=None)
        self.assertEqual(servers[0].resource["process.pid"], process.pid)
        self.assertEqual({span.status.get("code", 0) for span in clients + servers}, {0})
        for span in clients + servers:
            self.assertGreater(span.milliseconds, 0.05)
            self.assertLess(span.milliseconds, 10_000)

    def test_tls12(self):
        port, _ = self.server("-tls1_2", "-alpn", "http/1.1")
        daemon = self.daemon_for(port)
        self.client(port, "-alpn", "http/1.1", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256")
        clients, servers = self.both_ends(daemon)
        self.assert_says(clients + servers, tls__protocol__version="1.2", tls__established=True, tls__resumed=False,
                         tls__cipher="TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", tls__curve="x25519",
                         tls__next_protocol="http/1.1", tls__server__subject=SUBJECT, tls__server__issuer=SUBJECT)

    def test_resumption(self):
        for version in ("-tls1_2", "-tls1_3"):
            with self.subTest(version):
                session = self.folder / "session"
                session.unlink(missing_ok=True)
                port, _ = self.server(version)
                self.client(port, "-sess_out", session)
                daemon = self.daemon_for(port)
                self.client(port, "-sess_in", session)
                clients, servers = self.both_ends(daemon)
                self.assert_says(clients + servers, tls__resumed=True, tls__established=True)
                daemon.stop()
                os.unlink(daemon.span_path)

    def test_hello_retry(self):
        port, _ = self.server("-tls1_3", "-groups", "P-384")
        daemon = self.daemon_for(port)
        self.client(port, "-groups", "X25519:P-384")
        clients, servers = self.both_ends(daemon)
        self.assert_says(clients + servers, tls__established=True, tls__curve="secp384r1", probed__tls__hello_retry=True)

    def test_client_that_names_nobody(self):
        port, _ = self.server()
        daemon = self.daemon_for(port)
        self.client(port, name=None)
        clients, servers = self.both_ends(daemon)
        self.assertEqual(clients[0].name, "TLS client handshake 127.0.0.1")
        self.assert_says(servers, server__address=None)

    def test_certificate_metric(self):
        port, _ = self.server("-tls1_2")
        scraped = free_port()
        sinks = [{"name": "file", "type": "file", "path": str(self.folder / "spans.jsonl")},
                 {"name": "prometheus", "type": "prometheus", "endpoint": f"127.0.0.1:{scraped}"}]
        daemon = self.daemon_for(port, sinks=sinks)
        self.client(port)
        self.both_ends(daemon)
        with urllib.request.urlopen(f"http://127.0.0.1:{scraped}/metrics", timeout=10) as response:
            lines = response.read().decode().splitlines()
        found = [line for line in lines if line.startswith("probed_tls_certificate_time_to_expiry_seconds{")]
        self.assertTrue(found, lines)
        for line in found:
            self.assertIn(f'tls_server_subject="{SUBJECT}"', line)
            self.assertIn(f'server_address="{NAME}"', line)
            self.assertAlmostEqual(float(line.split()[-1]) / 86400, 30, delta=0.1)

    def test_each_one_of_many(self):
        port, _ = self.server()
        daemon = self.daemon_for(port)
        context = ssl.create_default_context(cafile=self.cert)
        for _ in range(HANDSHAKES):
            with socket.create_connection(("127.0.0.1", port)) as plain:
                context.wrap_socket(plain, server_hostname=NAME).close()
        clients, servers = self.both_ends(daemon, HANDSHAKES)
        self.assert_says(clients + servers, tls__established=True)

    def test_application_data_stays_in_the_kernel(self):
        port, _ = self.server()
        daemon = self.daemon_for(port)
        self.client(port)
        self.both_ends(daemon)
        before = daemon.counters()
        context = ssl.create_default_context(cafile=self.cert)
        with socket.create_connection(("127.0.0.1", port)) as plain, \
                context.wrap_socket(plain, server_hostname=NAME) as talk:
            wait_for("the handshake", lambda: len(daemon.spans()) == 4)
            after = daemon.counters()
            for _ in range(200):
                talk.send(b"x" * 1000)
            done = daemon.counters()
        self.assertEqual(done[("module:tls", "submitted")], after[("module:tls", "submitted")])
        self.assertGreaterEqual(done[("module:tls", "skipped")] - before[("module:tls", "skipped")], 200)


class TlsUnderLoad(UnderLoad, TlsCase):
    module = "tls"
    HANDSHAKES = 100

    def load_peers(self):
        self.nginx = peers.Nginx(self, tls=(self.cert, self.key))
        count = str(self.HANDSHAKES)
        command = [self.need("h2load"), "--h1", "-n", count, "-c", count, "-t", "1", "--rate", count,
                   f"https://127.0.0.1:{self.nginx.port}/load"]

        def round_of():
            done = subprocess.run(command, capture_output=True, text=True, timeout=120)
            self.assertIn(f"{count} succeeded, 0 failed", done.stdout, done.stdout + done.stderr)
            return self.HANDSHAKES
        return round_of

    def load_daemon(self, **options):
        return self.start_daemon(targets=[{"name": "nginx", "pids": [self.nginx.process.pid]}], **options)

    def is_operation(self, span):
        return span.name == "TLS server handshake" and span.attributes["tls.established"]

    def setting(self, number):
        return f"certificate_metric={'false' if number % 2 else 'true'}"


class TlsFullRing(Overflow, TlsCase):
    """Each handshake is on a connection of its own."""

    module = "tls"

    def talk_peers(self):
        self.nginx = peers.Nginx(self, tls=(self.cert, self.key))
        context = ssl.create_default_context(cafile=self.cert)
        context.check_hostname = False

        def talk(first, count):
            for number in range(first, first + count):
                with socket.create_connection(("127.0.0.1", self.nginx.port)) as plain:
                    context.wrap_socket(plain, server_hostname=f"n{number}.test").close()
        return talk

    def load_daemon(self, **options):
        return self.start_daemon(targets=[{"name": "nginx", "pids": [self.nginx.process.pid]}], **options)

    def is_operation(self, span):
        return span.name == "TLS server handshake"

    def number_of(self, span):
        name = span.attributes.get("server.address")
        return int(name.removeprefix("n").removesuffix(".test")) if name else None


class Failures(TlsCase):
    def fail(self, server, client, **wanted):
        port, _ = self.server(*server)
        daemon = self.daemon_for(port)
        self.assertNotEqual(self.client(port, *client).returncode, 0)
        clients, servers = self.both_ends(daemon)
        self.assert_says(clients + servers, tls__established=False, server__address=NAME, **wanted)
        self.assertEqual({span.status["code"] for span in clients + servers}, {2})

    def test_no_shared_version(self):
        self.fail(["-tls1_3"], ["-tls1_2"], error__type="protocol_version")

    def test_no_shared_cipher(self):
        self.fail(["-tls1_2", "-cipher", "ECDHE-RSA-AES256-GCM-SHA384"], ["-cipher", "ECDHE-RSA-AES128-GCM-SHA256"],
                  error__type="handshake_failure")

    def test_certificate_that_is_not_trusted(self):
        self.fail(["-tls1_2"], ["-verify_return_error"], error__type="unknown_ca", tls__server__subject=SUBJECT)

    def test_certificate_that_is_not_trusted_in_tls13(self):
        self.fail(["-tls1_3"], ["-verify_return_error"], error__type="unknown_ca")

    def test_certificate_that_is_refused_in_secret(self):
        """Go encrypts its alert; its client tells which one, unless it is done before it is probed."""
        port, _ = self.server("-tls1_3")
        program = peers.build_go(self, "tls_get", {"InsecureSkipVerify: true": "InsecureSkipVerify: false"})
        daemon = self.daemon_for(port)
        done = subprocess.run([program, f"127.0.0.1:{port}", NAME], capture_output=True, text=True, timeout=60)
        self.assertNotEqual(done.returncode, 0)
        clients, servers = self.both_ends(daemon)
        self.assert_says(clients + servers, tls__established=False, server__address=NAME)
        self.assert_says(servers, error__type="encrypted_alert")
        self.assertIn(clients[0].attributes["error.type"], {"encrypted_alert", "bad_certificate"})

    def test_client_that_says_nothing_more(self):
        port, _ = self.server()
        hello = ssl.MemoryBIO()
        talk = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), hello, server_hostname=NAME)
        with self.assertRaises(ssl.SSLWantReadError):
            talk.do_handshake()
        daemon = self.daemon_for(port)
        with socket.create_connection(("127.0.0.1", port)) as plain:
            plain.sendall(hello.read())
            plain.recv(1)
        found = daemon.wait_spans(2, settle=0.3)
        self.assert_says(found, tls__established=False, server__address=NAME)
        self.assertTrue({span.attributes["error.type"] for span in found} <= {"connection_closed", "connection_reset"})


class OtherPeers(TlsCase):
    def test_nginx_and_curl(self):
        server = peers.Nginx(self, tls=(self.cert, self.key))
        daemon = self.daemon_for(server.port)
        self.assertEqual(self.curl(server.port, "--tls-max", "1.2").stdout, "hello\n")
        clients, servers = self.both_ends(daemon)
        self.assert_says(clients + servers, tls__established=True, tls__protocol__version="1.2", server__address=NAME,
                         tls__next_protocol="http/1.1", tls__server__subject=SUBJECT,
                         probed__tls__plaintext_read=True)

    def test_python(self):
        port, _ = self.server()
        daemon = self.daemon_for(port)
        script = (f"import urllib.request,ssl,socket; socket.getaddrinfo=lambda *a,**k: "
                  f"[(2,1,6,'',('127.0.0.1',{port}))]; c=ssl.create_default_context(cafile='{self.cert}'); "
                  f"print(urllib.request.urlopen('https://{NAME}:{port}/',context=c).status)")
        done = subprocess.run([peers.PYTHON, "-c", script], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.stdout, "200\n", done.stderr)
        clients, servers = self.both_ends(daemon)
        self.assert_says(clients + servers, tls__established=True, server__address=NAME)
        self.assert_says(clients, probed__tls__plaintext_read=True)

    def run_and_expect(self, port, command, **said):
        daemon = self.daemon_for(port)
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.stdout, "200\n", done.stderr)
        clients, servers = self.both_ends(daemon)
        self.assert_says(clients + servers, tls__established=True, tls__protocol__version="1.3", server__address=NAME)
        self.assert_says(clients, **said)
        return daemon

    def test_go(self):
        """Whether it is read is another thing: it may be done before it is probed."""
        port, _ = self.server()
        program = peers.build_go(self, "tls_get")
        self.run_and_expect(port, [program, f"127.0.0.1:{port}", NAME])

    def test_node(self):
        port, _ = self.server()
        self.keep_mapped([self.need("node"), "-e", "setInterval(() => {}, 1000)"], "node")
        script = (f"require('https').get({{host:'127.0.0.1',port:{port},servername:'{NAME}',rejectUnauthorized:false}},"
                  "r=>{console.log(r.statusCode);r.resume()})")
        self.run_and_expect(port, [self.need("node"), "-e", script], probed__tls__plaintext_read=True)

    def test_java(self):
        port, _ = self.server()
        java, source = self.need("java"), peers.SERVERS / "TlsGet.java"
        wait = "sleep 1.2; exec \"$@\""  # of what was probed a moment ago nothing is said
        command = ["sh", "-c", wait, "sh", java, source, "127.0.0.1", str(port), NAME]
        daemon = self.run_and_expect(port, command, probed__tls__plaintext_read=False)
        wait_for("java and s_server to be counted", lambda: daemon.counters()[("module:tls", "no_symbols")] == 2)


if __name__ == "__main__":
    unittest.main()
