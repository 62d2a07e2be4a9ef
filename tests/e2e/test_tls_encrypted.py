# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""What TLS 1.3 encrypts of its handshake, told by probes in the libraries: certificates of servers, and alerts."""

import datetime
import subprocess
import unittest
import urllib.request

import peers
from harness import free_port
from test_tls import NAME
from test_tls_plaintext import HttpsCase

ISSUER = "CN=Test CA, O=Shop\\, Inc."
SUBJECT = f"CN={NAME}"


class EncryptedCase(HttpsCase):
    """The server's certificate has an issuer of its own, so that neither is taken for the other."""

    def setUp(self):
        super().setUp()
        self.authority, authority_key = self.folder / "ca.pem", self.folder / "ca_key.pem"
        self.run_openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", authority_key, "-out", self.authority,
                         "-days", "90", "-subj", "/O=Shop, Inc./CN=Test CA")
        request, names = self.folder / "request.pem", self.folder / "names"
        names.write_text(f"subjectAltName=DNS:{NAME}\n")
        self.run_openssl("req", "-new", "-key", self.key, "-subj", f"/CN={NAME}", "-out", request)
        self.run_openssl("x509", "-req", "-in", request, "-CA", self.authority, "-CAkey", authority_key, "-days", "60",
                         "-set_serial", "7", "-extfile", names, "-out", self.cert)
        self.dates = [self.date_of(which) for which in ("-startdate", "-enddate")]
        with open(self.cert, "ab") as chain:
            chain.write(self.authority.read_bytes())

    def run_openssl(self, *arguments):
        return subprocess.run([self.openssl, *arguments], check=True, capture_output=True, text=True).stdout

    def date_of(self, which):
        text = self.run_openssl("x509", "-in", self.cert, "-noout", which).split("=", 1)[1].strip()
        date = datetime.datetime.strptime(text, "%b %d %H:%M:%S %Y GMT")
        return date.strftime("%Y-%m-%dT%H:%M:%S.000Z")

    def nginx13(self, options=""):
        return self.nginx(tls_options="ssl_protocols TLSv1.3;" + options)

    def handshakes(self, daemon, count=1):
        clients, servers = [], []
        for span in daemon.wait_spans(2 * count, settle=0.5):
            if span.name.startswith("TLS "):
                (clients if "client" in span.name else servers).append(span)
        self.assertEqual((len(clients), len(servers)), (count, count))
        self.assertEqual(daemon.losses(), {})
        return clients, servers

    def expect_certificate(self, daemon, count=1):
        """At the client; the server does not look at its own."""
        clients, servers = self.handshakes(daemon, count)
        not_before, not_after = self.dates
        self.assert_says(clients + servers, tls__established=True, tls__protocol__version="1.3")
        self.assert_says(clients, tls__server__subject=SUBJECT, tls__server__issuer=ISSUER,
                         tls__server__not_before=not_before, tls__server__not_after=not_after, tls__client__subject=None)
        self.assert_says(servers, tls__server__subject=None)

    def curl_command(self, port):
        return [self.need("curl"), "-s", "-S", "--cacert", self.authority, "--resolve", f"{NAME}:{port}:127.0.0.1",
                f"https://{NAME}:{port}/"]

    def serve(self, program):
        port = free_port()
        return port, peers.server(self, [program, "serve", f"127.0.0.1:{port}", self.cert, self.key], port)

    def go_program(self):
        """A process of it runs, so that it is probed before another one starts."""
        program = peers.build_go(self, "https")
        self.serve(program)
        return program

    def ran(self, command, wanted):
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.stdout, wanted, done.stderr)


class Certificates(EncryptedCase):
    def test_openssl_on_a_socket(self):
        server = self.nginx13()
        daemon = self.https_daemon(server.port)
        for _ in range(20):
            self.ran(self.curl_command(server.port), "hello\n")
        self.expect_certificate(daemon, 20)

    def test_openssl_in_memory(self):
        server = self.nginx13()
        daemon = self.https_daemon(server.port)
        self.ran([peers.PYTHON, "-c", "import asyncio, ssl, sys\n"
                  "async def main():\n"
                  "    context = ssl.create_default_context(cafile=sys.argv[2])\n"
                  f"    _, writer = await asyncio.open_connection('127.0.0.1', int(sys.argv[1]), ssl=context, "
                  f"server_hostname='{NAME}')\n"
                  "    writer.close()\n"
                  "asyncio.run(main())", server.port, self.authority], "")
        self.expect_certificate(daemon)

    def test_node(self):
        server = self.nginx13()
        self.keep_mapped([self.need("node"), "-e", "setInterval(() => {}, 1000)"], "node")
        daemon = self.https_daemon(server.port)
        script = (f"const c=require('tls').connect({{host:'127.0.0.1',port:{server.port},servername:'{NAME}',"
                  "rejectUnauthorized:false}, () => { console.log('done'); c.end(); })")
        self.ran([self.need("node"), "-e", script], "done\n")
        self.expect_certificate(daemon)

    def test_go(self):
        server = self.nginx13()
        program = self.go_program()
        daemon = self.https_daemon(server.port)
        self.ran([program, "get", f"127.0.0.1:{server.port}", NAME, "handshake", 3, 1], "3\n")
        self.expect_certificate(daemon, 3)

    def test_gnutls(self):
        server = self.nginx13()
        daemon = self.https_daemon(server.port)
        """It copies certificates before it parses them: whose they are is not to be told."""
        self.ran([self.need("gnutls-cli"), f"--x509cafile={self.authority}", "--logfile=/dev/null", f"--sni-hostname={NAME}",
                  f"--verify-hostname={NAME}", "-p", server.port, "127.0.0.1"], "")
        clients, servers = self.handshakes(daemon)
        self.assert_says(clients + servers, tls__established=True, tls__protocol__version="1.3", tls__server__subject=None)

    def test_metric(self):
        server = self.nginx13()
        scraped = free_port()
        sinks = [{"name": "file", "type": "file", "path": str(self.folder / "spans.jsonl")},
                 {"name": "prometheus", "type": "prometheus", "endpoint": f"127.0.0.1:{scraped}"}]
        daemon = self.https_daemon(server.port, sinks=sinks)
        self.ran(self.curl_command(server.port), "hello\n")
        self.expect_certificate(daemon)
        with urllib.request.urlopen(f"http://127.0.0.1:{scraped}/metrics", timeout=10) as response:
            lines = response.read().decode().splitlines()
        (line,) = [line for line in lines if line.startswith("probed_tls_certificate_time_to_expiry_seconds{")]
        self.assertIn(f'tls_server_subject="{SUBJECT}"', line)
        self.assertIn(f'server_address="{NAME}"', line)
        self.assertAlmostEqual(float(line.split()[-1]) / 86400, 60, delta=0.1)


class Alerts(EncryptedCase):
    """A client that refuses the server's certificate."""

    def expect_alert(self, daemon, client, server):
        clients, servers = self.handshakes(daemon)
        self.assert_says(clients + servers, tls__established=False, tls__protocol__version="1.3", server__address=NAME)
        self.assert_says(clients, error__type=client, tls__server__subject=SUBJECT)
        self.assert_says(servers, error__type=server)

    def test_go_to_openssl(self):
        server = self.nginx13()
        program = self.go_program()
        daemon = self.https_daemon(server.port)
        done = subprocess.run([program, "get", f"127.0.0.1:{server.port}", NAME, "strict", "1", "1"], capture_output=True,
                              text=True, timeout=60)
        self.assertIn("unknown authority", done.stderr)
        self.expect_alert(daemon, "bad_certificate", "bad_certificate")

    def test_go_to_go(self):
        """Go's server says nothing about what it gets."""
        program = self.go_program()
        port, _ = self.serve(program)
        daemon = self.https_daemon(port)
        done = subprocess.run([program, "get", f"127.0.0.1:{port}", NAME, "strict", "1", "1"], capture_output=True, text=True,
                              timeout=60)
        self.assertIn("unknown authority", done.stderr)
        self.expect_alert(daemon, "bad_certificate", "encrypted_alert")


if __name__ == "__main__":
    unittest.main()
