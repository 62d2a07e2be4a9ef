# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""HTTP over TLS: the tls module hands OpenSSL's plaintext to the http module, which makes its spans of it."""

import socket
import subprocess
import unittest

import leaks
import peers
from harness import accepts, free_port, strangers, wait_for
from spans import CLIENT, SERVER
from test_tls import NAME, TlsCase

REQUESTS = 1000
HTTPS_SERVER = """
import http.server, ssl, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"hi\\n")
    def log_message(self, *words): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2], sys.argv[3])
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""
HTTPS_CLIENT = """
import http.client, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[2])
context.check_hostname = False
talk = http.client.HTTPSConnection("127.0.0.1", int(sys.argv[1]), context=context)
for number in range(int(sys.argv[3])):
    talk.request("GET", f"/number/{number}", headers={"Host": "shop.test"})
    answer = talk.getresponse()
    answer.read()
    print(answer.status, flush=True)
"""
# The same, which asks when it is told to.
ASKED_CLIENT = HTTPS_CLIENT.replace("range(", "map(lambda _: input(), range(").replace("])):", "]))):")


class HttpsCase(TlsCase):
    def https_daemon(self, *ports, modules=("http", "tls"), **options):
        daemon = self.start_daemon(targets=[{"name": "under_test", "ports": list(ports)}, strangers()], **options)
        for module in modules:
            daemon.load(module)
        return daemon

    def nginx(self, **options):
        return peers.Nginx(self, tls=(self.cert, self.key), **options)

    def python_server(self):
        port = free_port()
        process = self.spawn([peers.PYTHON, "-c", HTTPS_SERVER, port, self.cert, self.key])
        wait_for("the server to listen", lambda: accepts(port))
        return port, process

    def python_client(self, port, requests):
        done = subprocess.run([peers.PYTHON, "-c", HTTPS_CLIENT, str(port), self.cert, str(requests)],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.stdout, "200\n" * requests, done.stderr)

    def expect_older_connection(self, port, unbound):
        """Of a server whose socket shows when it sends, the first request after the daemon's start is not known."""
        with subprocess.Popen([peers.PYTHON, "-c", ASKED_CLIENT, str(port), self.cert, "4"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True) as client:
            def ask():
                client.stdin.write("\n")
                client.stdin.flush()
                self.assertEqual(client.stdout.readline(), "200\n")
            ask()
            daemon = self.https_daemon(port)
            for _ in range(3):
                ask()
            seen = 2 if unbound else 3
            self.assertEqual(len(daemon.wait_spans(seen, settle=0.5, kind=SERVER)), seen)
            self.assertEqual(len(daemon.wait_spans(3, settle=0.5, kind=CLIENT)), 3)
            self.assertEqual(daemon.counters().get(("module:tls", "unbound"), 0), unbound)
            self.assertEqual(daemon.losses(), {})

    def assert_healthy(self, daemon, unbound=0):
        self.assertEqual(daemon.losses(), {})
        self.assertEqual(daemon.counters().get(("module:tls", "unbound"), 0), unbound)
        doctor = daemon.ctl("doctor", check=False)
        self.assertEqual(doctor.returncode, 0, doctor.stdout + doctor.stderr)

    def requests_of(self, daemon, kind, count):
        found = daemon.wait_spans(count, settle=0.4, kind=kind)
        self.assertEqual(len(found), count)
        for span in found:
            self.assertEqual(span.attributes["http.request.method"], "GET")
            self.assertEqual(span.attributes["http.response.status_code"], 200)
        return found


class Https(HttpsCase):
    def expect_curl_at_nginx(self, *modules):
        server = self.nginx()
        daemon = self.https_daemon(server.port, modules=modules)
        self.assertEqual(self.curl(server.port, path="/one?two=three").stdout, "hello\n")
        (asked,) = self.requests_of(daemon, CLIENT, 1)
        (answered,) = self.requests_of(daemon, SERVER, 1)
        self.assertEqual(asked.attributes["url.full"], f"https://{NAME}:{server.port}/one?two=three")
        self.assertEqual(answered.attributes["url.scheme"], "https")
        self.assertEqual((answered.attributes["url.path"], answered.attributes["url.query"]), ("/one", "two=three"))
        self.assertEqual(answered.resource["process.pid"], server.process.pid)
        self.assertEqual(answered.attributes["network.peer.address"], "127.0.0.1")
        self.assertEqual(answered.attributes["server.address"], NAME)
        self.assert_healthy(daemon)

    def test_curl_at_nginx(self):
        self.expect_curl_at_nginx("http", "tls")

    def test_http2_by_curl_at_nginx(self):
        server = self.nginx(h2=True)
        daemon = self.https_daemon(server.port, modules=("http", "grpc", "tls"))
        for number in range(20):
            done = self.curl(server.port, "--http2", path=f"/number/{number}")
            self.assertEqual(done.stdout, "hello\n", done.stderr)
        for kind in (CLIENT, SERVER):
            found = self.requests_of(daemon, kind, 20)
            self.assertEqual([span.path for span in found], [f"/number/{number}" for number in range(20)])
            self.assertEqual({span.attributes["network.protocol.version"] for span in found}, {"2"})
        self.assert_healthy(daemon)

    def proxy(self, *ports):
        """Lets clients through to these ports."""
        port = free_port()
        path = self.folder / "tinyproxy.conf"
        path.write_text(f"Port {port}\nListen 127.0.0.1\n" + "".join(f"ConnectPort {one}\n" for one in ports))
        self.spawn([self.need("tinyproxy"), "-d", "-c", path])
        wait_for("the proxy to listen", lambda: accepts(port))
        return port

    def test_behind_connect(self):
        """The client's connection begins as HTTP in the clear and goes on as TLS."""
        server = self.nginx()
        proxy = self.proxy(server.port)
        daemon = self.https_daemon(server.port, proxy)
        done = subprocess.run([self.need("curl"), "-s", "-S", "-k", "--proxy", f"http://127.0.0.1:{proxy}",
                               *(f"https://127.0.0.1:{server.port}/number/{number}" for number in range(3))],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.stdout, "hello\n" * 3, done.stderr)
        daemon.wait_spans(6, settle=0.5, http__request__method="GET")
        asked = [span for span in daemon.spans(kind=CLIENT) if span.attributes["http.request.method"] == "GET"]
        self.assertEqual([span.attributes["url.full"] for span in asked],
                         [f"https://127.0.0.1:{server.port}/number/{number}" for number in range(3)])
        self.assertEqual(len(daemon.spans(kind=CLIENT, http__request__method="CONNECT")), 1)
        self.assert_healthy(daemon)

    def test_modules_in_the_other_order(self):
        self.expect_curl_at_nginx("tls", "http")

    def test_python_at_both_ends(self):
        port, process = self.python_server()
        daemon = self.https_daemon(port)
        self.python_client(port, 50)
        paths = [f"/number/{number}" for number in range(50)]
        asked = self.requests_of(daemon, CLIENT, 50)
        answered = self.requests_of(daemon, SERVER, 50)
        self.assertEqual([span.path for span in asked], paths)
        self.assertEqual([span.path for span in answered], paths)
        self.assertEqual({span.resource["process.pid"] for span in answered}, {process.pid})
        self.assertEqual({span.attributes["url.scheme"] for span in answered}, {"https"})
        self.assert_healthy(daemon)

    def test_wget_by_gnutls(self):
        program = self.need("wget")
        linked = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
        if "libgnutls" not in linked:
            self.skipTest("this wget does not use GnuTLS")
        server = self.nginx()
        silent = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(silent.close)
        nowhere = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        self.keep_mapped([program, "-q", "-O", "/dev/null", nowhere], "libgnutls")
        daemon = self.https_daemon(server.port)
        for number in range(3):
            done = subprocess.run([program, "-q", "-O", "-", "--no-check-certificate", f"--header=Host: {NAME}",
                                   f"https://127.0.0.1:{server.port}/gnutls/{number}"], capture_output=True, text=True,
                                  timeout=60)
            self.assertEqual(done.stdout, "hello\n", done.stderr)
        for kind in (CLIENT, SERVER):
            found = self.requests_of(daemon, kind, 3)
            self.assertEqual([span.path for span in found], [f"/gnutls/{number}" for number in range(3)])
        handshakes = [span for span in daemon.spans() if span.name.startswith("TLS client handshake")]
        self.assertEqual(len(handshakes), 3)
        self.assert_says(handshakes, tls__established=True, probed__tls__plaintext_read=True)
        self.assert_healthy(daemon)

    def test_connection_older_than_the_daemon(self):
        self.expect_older_connection(self.nginx().port, unbound=0)

    def test_each_request_of_many_connections(self):
        server = self.nginx()
        daemon = self.https_daemon(server.port)
        done = subprocess.run([self.need("ab"), "-q", "-n", str(REQUESTS), "-c", "16", "-k",
                               f"https://127.0.0.1:{server.port}/load"], capture_output=True, text=True, timeout=120)
        self.assertRegex(done.stdout, rf"Complete requests:\s+{REQUESTS}\n", done.stderr)
        for kind in (SERVER, CLIENT):
            self.requests_of(daemon, kind, REQUESTS)
        server.wait_requests(REQUESTS)
        self.assertEqual(daemon.losses(), {})

    def test_long_bodies(self):
        server = self.nginx()
        path = server.file("long", 5_000_000)
        daemon = self.https_daemon(server.port)
        for _ in range(3):
            done = self.curl(server.port, "-o", "/dev/null", path=path)
            self.assertEqual(done.returncode, 0, done.stderr)
        for kind in (SERVER, CLIENT):
            self.requests_of(daemon, kind, 3)
        self.assert_healthy(daemon)

    def test_requests_made_for_requests_are_their_children(self):
        upstream = peers.Nginx(self)
        server = self.nginx(upstream_port=upstream.port)
        daemon = self.https_daemon(server.port, upstream.port)
        self.assertEqual(self.curl(server.port, path="/proxy/x").returncode, 0)
        proxied = [span for span in daemon.wait_spans(2, settle=0.5, kind=CLIENT)
                   if span.resource["process.pid"] == server.process.pid]
        (answered,) = [span for span in daemon.spans(kind=SERVER) if span.resource["process.pid"] == server.process.pid]
        self.assertEqual([span.parent_id for span in proxied], [answered.span_id])
        self.assert_healthy(daemon)

    def test_tls_on_both_sides_of_a_proxy(self):
        upstream = self.nginx()
        server = self.nginx(upstream_port=upstream.port, upstream_tls=True)
        daemon = self.https_daemon(server.port, upstream.port)
        for _ in range(3):
            self.assertEqual(self.curl(server.port, path="/proxy/x").returncode, 0)
        self.assertEqual(len(daemon.wait_spans(6, settle=0.5, kind=SERVER)), 6)
        by_proxy = [span for span in daemon.spans() if span.resource["process.pid"] == server.process.pid]
        requests = {span.span_id for span in by_proxy if span.kind == SERVER}
        self.assertEqual(len(requests), 3)
        for made in ([span for span in by_proxy if span.kind == CLIENT],
                     [span for span in by_proxy if span.name.startswith("TLS client handshake")]):
            self.assertEqual({span.parent_id for span in made}, requests)
            self.assertEqual(len(made), 3)
        self.assert_healthy(daemon)

    def test_early_data(self):
        server = self.nginx(tls_options="ssl_protocols TLSv1.3; ssl_early_data on;")
        session, early = self.folder / "session", self.folder / "early"
        early.write_text(f"GET /early HTTP/1.1\r\nHost: {NAME}\r\n\r\n")
        # The client stays for a while: a server that closes before the client's Finished has no handshake.
        talk = f"sleep 1 | {self.openssl} s_client -connect 127.0.0.1:{server.port} -servername {NAME}"
        subprocess.run(f"{talk} -sess_out {session}", shell=True, capture_output=True, timeout=60)
        daemon = self.https_daemon(server.port)
        done = subprocess.run(f"{talk} -sess_in {session} -early_data {early}", shell=True, capture_output=True, text=True,
                              timeout=60)
        self.assertIn("Early data was accepted", done.stdout)
        self.assertIn("200 OK", done.stdout)
        self.assertEqual([span.path for span in self.requests_of(daemon, SERVER, 1)], ["/early"])
        # OpenSSL sends a client's early data after the call that took it, so the socket is not known in time.
        self.assertEqual(daemon.spans(kind=CLIENT), [])
        self.assertEqual(daemon.counters()[("module:tls", "unbound")], 1)
        handshakes = [span for span in daemon.spans() if span.name.startswith("TLS ")]
        self.assertEqual(len(handshakes), 2)
        self.assert_says(handshakes, tls__established=True, tls__resumed=True)
        self.assertEqual(daemon.losses(), {})

    def test_unload_under_traffic_leaves_nothing(self):
        server = self.nginx()
        daemon = self.https_daemon(server.port)
        self.curl(server.port)
        for module in ("tls", "http"):
            daemon.ctl("unload", module)
        objects = leaks.bpf_objects()
        for _ in range(5):
            daemon.load("tls")
            daemon.load("http")
            self.assertEqual(self.curl(server.port).returncode, 0)
            daemon.ctl("unload", "tls")
            self.assertEqual(self.curl(server.port).returncode, 0)
            daemon.ctl("unload", "http")
        self.assertEqual(leaks.wait_no_new_objects(objects), [])
        self.assertEqual(leaks.mapped_modules(daemon.pid), [])


class InMemory(HttpsCase):
    """Libraries that never touch the socket: it is known by the encrypted bytes that go over it."""

    def expect_each(self, daemon, count):
        wanted = sorted(f"/number/{number}" for number in range(count))
        for kind in (SERVER, CLIENT):
            found = self.requests_of(daemon, kind, count)
            self.assertEqual(sorted(span.path for span in found), wanted)
        self.assertEqual({span.attributes["url.scheme"] for span in daemon.spans(kind=SERVER)}, {"https"})
        self.assert_healthy(daemon)

    def serve(self, *command):
        port = free_port()
        return port, peers.server(self, [*command, "serve", port, self.cert, self.key], port)

    def get(self, *command, count):
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.stdout, f"{count}\n", done.stderr)

    def test_asyncio(self):
        program = peers.SERVERS / "https_asyncio.py"
        port, _ = self.serve(peers.PYTHON, program)
        daemon = self.https_daemon(port)
        self.get(peers.PYTHON, program, "get", port, NAME, self.cert, 200, count=200)
        self.expect_each(daemon, 200)

    def test_node(self):
        node, program = self.need("node"), peers.SERVERS / "https.js"
        port, _ = self.serve(node, program)
        daemon = self.https_daemon(port)
        self.get(node, program, "get", port, NAME, REQUESTS, 8, count=REQUESTS)
        self.expect_each(daemon, REQUESTS)

    def test_grpc_of_python(self):
        port, _ = peers.grpc_server(self, self.cert, self.key)
        daemon = self.https_daemon(port, modules=("grpc", "tls"))
        client = peers.GrpcClient(self, port, self.cert)
        self.assertEqual(client.ask(call="say", times=100), "OK")
        self.assertEqual(client.ask(call="chat", messages=20), "OK")
        self.assertEqual(client.ask(call="fail", status="NOT_FOUND"), "NOT_FOUND")
        for kind in (SERVER, CLIENT):
            found = daemon.wait_spans(102, settle=0.3, kind=kind)
            self.assertEqual(len(found), 102)
            self.assertEqual({(span.name, span.attributes["rpc.status_code"]) for span in found},
                             {("test.Echo/Say", "OK"), ("test.Echo/Chat", "OK"), ("test.Echo/Fail", "NOT_FOUND")})
        self.assert_healthy(daemon)

    def test_connection_older_than_the_daemon(self):
        port, _ = self.serve(self.need("node"), peers.SERVERS / "https.js")
        self.expect_older_connection(port, unbound=2)


if __name__ == "__main__":
    unittest.main()
