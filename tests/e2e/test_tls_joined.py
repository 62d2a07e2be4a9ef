# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""Both ends of a connection over TLS on one host: each SERVER span is a child of the CLIENT span of that very request."""

import subprocess
import unittest

import peers
from harness import FULL, accepts, free_port, wait_for
from spans import CLIENT, SERVER
from test_tls import NAME
from test_tls_plaintext import ASKED_CLIENT, HttpsCase

CONNECTIONS = 16
REQUESTS_EACH = 40
# Requests of all connections at once, all of the same length.
MANY_CLIENT = """
import http.client, ssl, sys, threading
port, certificate, connections, each = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
context = ssl.create_default_context(cafile=certificate)
context.check_hostname = False
together = threading.Barrier(connections)
done = []
def ask(first):
    talk = http.client.HTTPSConnection("127.0.0.1", port, context=context)
    talk.connect()
    together.wait()
    for number in range(first, first + each):
        talk.request("GET", f"/number/{number:06}", headers={"Host": "shop.test"})
        answer = talk.getresponse()
        answer.read()
        done.append(answer.status == 200)
threads = [threading.Thread(target=ask, args=(index * each,)) for index in range(connections)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(sum(done))
"""


class Joined(HttpsCase):
    def assert_joined(self, daemon, count):
        asked = {span.path: span for span in self.requests_of(daemon, CLIENT, count)}
        answered = {span.path: span for span in self.requests_of(daemon, SERVER, count)}
        self.assertEqual((len(asked), sorted(asked)), (count, sorted(answered)))
        alone = sum(1 for span in answered.values() if not span.parent_id)
        wrong = [path for path, span in answered.items() if span.parent_id and
                 (span.parent_id, span.trace_id) != (asked[path].span_id, asked[path].trace_id)]
        self.assertEqual((wrong, alone), ([], 0))
        self.assertEqual({span.parent_id for span in asked.values()}, {""})
        self.assertEqual(len({span.trace_id for span in asked.values()}), count)

    def python_asks(self, port):
        count = CONNECTIONS * REQUESTS_EACH
        done = subprocess.run([peers.PYTHON, "-c", MANY_CLIENT, str(port), self.cert, str(CONNECTIONS),
                               str(REQUESTS_EACH)], capture_output=True, text=True, timeout=120)
        self.assertEqual(done.stdout, f"{count}\n", done.stderr)
        return count

    def test_python_at_nginx(self):
        server = self.nginx()
        daemon = self.https_daemon(server.port)
        self.assert_joined(daemon, self.python_asks(server.port))
        self.assert_healthy(daemon)

    @unittest.skipUnless(FULL, "PROBED_FULL=1 runs it: the others are joined in the same way")
    def test_python_at_nginx_by_tls_1_2(self):
        server = self.nginx(tls_options="ssl_protocols TLSv1.2;")
        daemon = self.https_daemon(server.port)
        self.assert_joined(daemon, self.python_asks(server.port))
        self.assert_healthy(daemon)

    def test_http2_by_curl_at_nginx(self):
        """Streams of one connection, in parallel."""
        server = self.nginx(h2=True)
        daemon = self.https_daemon(server.port, modules=("http", "grpc", "tls"))
        urls = [f"https://127.0.0.1:{server.port}/number/{number:03}" for number in range(64)]
        done = subprocess.run([self.need("curl"), "-s", "-S", "-k", "--http2", "--parallel", "--parallel-max", "16",
                               *urls], capture_output=True, text=True, timeout=120)
        self.assertEqual(done.stdout, "hello\n" * len(urls), done.stderr)
        self.assert_joined(daemon, len(urls))
        self.assert_healthy(daemon)

    @unittest.skipUnless(FULL, "PROBED_FULL=1 runs it: the others are joined in the same way")
    def test_node_at_node(self):
        """A library that encrypts in memory, at both ends."""
        node, program, port = self.need("node"), peers.SERVERS / "https.js", free_port()
        peers.server(self, [node, program, "serve", port, self.cert, self.key], port)
        daemon = self.https_daemon(port)
        done = subprocess.run([node, program, "get", str(port), NAME, "400", str(CONNECTIONS)], capture_output=True,
                              text=True, timeout=120)
        self.assertEqual(done.stdout, "400\n", done.stderr)
        self.assert_joined(daemon, 400)
        self.assert_healthy(daemon)

    def expect_go(self, version, modules):
        program, port = peers.build_go(self, "https"), free_port()
        self.spawn([program, "serve", f"127.0.0.1:{port}", self.cert, self.key])
        wait_for("the server to listen", lambda: accepts(port))
        daemon = self.https_daemon(port, modules=modules)
        done = subprocess.run([program, "get", f"127.0.0.1:{port}", NAME, version, "800", str(CONNECTIONS)],
                              capture_output=True, text=True, timeout=120)
        self.assertEqual(done.stdout.strip(), "800", done.stderr)
        self.assert_joined(daemon, 800)
        self.assert_healthy(daemon)

    def test_go_at_go(self):
        self.expect_go("1.1", ("http", "tls"))

    def test_http2_of_go_at_go(self):
        self.expect_go("2", ("grpc", "tls"))

    def test_connection_older_than_the_daemon(self):
        """Its bytes are counted from different places: no parent."""
        server = self.nginx()
        with subprocess.Popen([peers.PYTHON, "-c", ASKED_CLIENT, str(server.port), self.cert, "8"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
            def ask():
                client.stdin.write("\n")
                client.stdin.flush()
                self.assertEqual(client.stdout.readline(), "200\n")
            ask()
            daemon = self.https_daemon(server.port)
            for _ in range(7):
                ask()
        answered = self.requests_of(daemon, SERVER, 7)
        self.assertEqual({span.parent_id for span in answered + self.requests_of(daemon, CLIENT, 7)}, {""})
        self.assertEqual(daemon.losses(), {})


if __name__ == "__main__":
    unittest.main()
