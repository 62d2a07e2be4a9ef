# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""The tls module while connections go on: delays, holes, and configure and unload under load."""

import os
import socket
import ssl
import subprocess
import threading
import time
import unittest

import leaks
import peers
from harness import FULL, wait_for
from spans import SERVER
from test_tls import NAME
from test_tls_plaintext import HttpsCase

DELAY = 0.3


class SlowClient:
    """A handshake whose every flight goes out when it is told to: the library encrypts in memory."""

    def __init__(self, port, certificate):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = ssl.create_default_context(cafile=certificate)
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=NAME)
        self.step()

    def step(self):
        """True: the handshake is over, but for what is to be sent."""
        try:
            self.tls.do_handshake()
            return True
        except ssl.SSLWantReadError:
            return False

    def receive(self):
        """Takes what the server sends until there is something to be sent."""
        while True:
            self.incoming.write(self.socket.recv(65536))
            if self.step() or self.outgoing.pending:
                return

    def send(self):
        self.socket.sendall(self.outgoing.read())

    def close(self):
        self.socket.close()


class Handshakes(HttpsCase):
    def handshakes(self, daemon, count):
        found = [span for span in daemon.wait_spans(count, settle=0.5) if span.name.startswith("TLS ")]
        self.assertEqual(len(found), count)
        return found

    def test_delay_of_the_client_is_in_the_duration(self):
        """In TLS 1.2 and 1.3, between the server's flight and the client's next one."""
        for version in ("TLSv1.3", "TLSv1.2"):
            with self.subTest(version):
                server = self.nginx(tls_options=f"ssl_protocols {version};")
                daemon = self.https_daemon(server.port)
                client = SlowClient(server.port, self.cert)
                began = time.monotonic()
                client.send()
                client.receive()
                time.sleep(DELAY)
                client.send()
                if version == "TLSv1.2":
                    client.receive()
                daemon.wait_spans(2)
                milliseconds = (time.monotonic() - began) * 1000
                spans = self.handshakes(daemon, 2)
                client.close()
                self.assert_says(spans, tls__established=True, tls__protocol__version=version[-3:])
                for span in spans:
                    self.assertGreaterEqual(span.milliseconds, DELAY * 1000)
                    self.assertLess(span.milliseconds, milliseconds)
                self.assertEqual(daemon.losses(), {})
                daemon.stop()
                os.unlink(daemon.span_path)

    def test_hole_in_a_hello(self):
        """Half of the ClientHello comes from a file, so that the client's end is not seen; the next connection is."""
        server = self.nginx()
        daemon = self.https_daemon(server.port)
        client = SlowClient(server.port, self.cert)
        hello = client.outgoing.read()
        path = self.folder / "rest"
        path.write_bytes(hello[60:])
        client.socket.sendall(hello[:60])
        with open(path, "rb") as rest:
            os.sendfile(client.socket.fileno(), rest.fileno(), 0, len(hello) - 60)
        client.receive()
        client.send()
        (span,) = self.handshakes(daemon, 1)
        self.assertEqual(span.name, "TLS server handshake")
        self.assert_says([span], tls__established=True, server__address=NAME)
        client.close()
        self.assertEqual(daemon.losses(), {("module:tls", "undecodable.gap"): 1})
        self.assertEqual(self.curl(server.port).stdout, "hello\n")
        self.assertEqual(len([span for span in self.handshakes(daemon, 3) if "client" in span.name]), 1)

    def test_hole_in_the_second_flight(self):
        """There the handshake has begun: it is given up, and counted."""
        server = self.nginx(tls_options="ssl_protocols TLSv1.2;")
        daemon = self.https_daemon(server.port)
        client = SlowClient(server.port, self.cert)
        client.send()
        client.receive()
        flight = client.outgoing.read()
        path = self.folder / "flight"
        path.write_bytes(flight)
        with open(path, "rb") as file:
            os.sendfile(client.socket.fileno(), file.fileno(), 0, len(flight))
        client.receive()
        (span,) = self.handshakes(daemon, 1)
        self.assertEqual(span.name, "TLS server handshake")
        self.assert_says([span], tls__established=True)
        client.close()
        self.assertEqual(daemon.losses().get(("module:tls", "aborted.gap")), 1)


class Load:
    """curl again and again on connections of their own, and ab on kept-alive ones, until the end."""

    def __init__(self, case, port):
        self.case, self.port = case, port
        self.requests = 0
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(keep,)) for keep in (True, False)]
        self.failures = []
        self.lock = threading.Lock()

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def run(self, keep):
        count = 2000 if keep else 200
        while not self.stop.is_set():
            done = subprocess.run([self.case.need("ab"), "-q", *(["-k"] if keep else []), "-n", str(count), "-c", "4",
                                   f"https://127.0.0.1:{self.port}/x"], capture_output=True, text=True, timeout=120)
            with self.lock:
                if f"Complete requests:      {count}\n" not in done.stdout or "Failed requests:        0\n" not in done.stdout:
                    self.failures.append(done.stdout + done.stderr)
                self.requests += count


@unittest.skipUnless(FULL, "PROBED_FULL=1 runs it; test_tls does it in short")
class RunTimeControl(HttpsCase):
    def setUp(self):
        super().setUp()
        self.server = self.nginx()
        self.exclude = [os.path.realpath(self.need("ab"))]

    def daemon_of_server(self):
        return self.start_daemon(targets=[{"name": "t", "ports": [self.server.port]},
                                          {"name": "n", "exclude": True, "exe": self.exclude}])

    @staticmethod
    def spans(daemon):
        return daemon.counters().get(("module:http", "spans"), 0)

    def test_configure_under_load_is_exact(self):
        daemon = self.daemon_of_server()
        for module in ("http", "tls"):
            daemon.load(module)
        with Load(self, self.server.port) as load:
            for number in range(10):
                state = "true" if number % 2 else "false"
                reply = daemon.ctl_json("configure", "tls", "--set", f"certificate_metric={state}")
                receipt = reply["outcome"]["receipt"]
                self.assertEqual((receipt["lost"], receipt["doubled"]), (0, 0), receipt)
                self.assertEqual(receipt["submitted_old"], receipt["consumed_old"], receipt)
                time.sleep(0.2)
        self.assertEqual(load.failures, [])
        self.server.wait_requests(load.requests)
        found = daemon.wait_spans(load.requests, seconds=120, settle=1.0, kind=SERVER)
        self.assertEqual(len(found), load.requests)
        self.assertEqual(daemon.losses(), {})

    def test_load_and_unload_under_load_leave_nothing(self):
        daemon = self.daemon_of_server()
        daemon.load("http")
        daemon.ctl("load", "tls", "--wait")
        self.assertEqual(self.curl(self.server.port).stdout, "hello\n")
        daemon.wait_spans(1, kind=SERVER)
        daemon.ctl("unload", "tls")
        objects, held = leaks.bpf_objects(), leaks.descriptors(daemon.pid)
        seen = 0
        with Load(self, self.server.port) as load:
            for _ in range(10):
                daemon.load("tls")
                before = self.spans(daemon)
                wait_for("requests to be read", lambda before=before: self.spans(daemon) > before)
                seen += 1
                daemon.ctl("unload", "tls")
        self.assertEqual((seen, load.failures), (10, []))
        self.assertEqual(leaks.wait_no_new_objects(objects), [])
        self.assertEqual(leaks.descriptors(daemon.pid), held)
        self.assertTrue(daemon.ctl_json("ledger")["closes"])
        after = self.spans(daemon)
        self.assertEqual(self.curl(self.server.port).stdout, "hello\n")
        time.sleep(0.5)
        self.assertEqual(self.spans(daemon), after)
        leftover = subprocess.run([leaks.BPFTOOL, "-j", "perf", "show"], capture_output=True, text=True, check=True).stdout
        self.assertNotIn("uprobe", leftover)


if __name__ == "__main__":
    unittest.main()
