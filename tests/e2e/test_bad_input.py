# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""Broken modules, wrong keys, malformed traffic, no daemon: a clear refusal, and the daemon goes on."""

import os
import random
import shutil
import subprocess
import unittest

import peers
from harness import BUILD_DIR, Daemon, LiveCase, wait_for
from spans import SERVER

EXIT_USAGE, EXIT_NOT_FOUND, EXIT_CONFLICT, EXIT_UNREACHABLE = 2, 3, 4, 6


class BadModules(LiveCase):
    """Modules are only taken from root-owned folders that nobody else can write to, so /root is where this plays."""

    def setUp(self):
        super().setUp()
        base = os.path.join(os.path.expanduser("~"), f".probed-e2e.{os.getpid()}")
        os.makedirs(base, mode=0o755, exist_ok=True)
        self.addCleanup(shutil.rmtree, base, ignore_errors=True)
        self.modules = os.path.join(base, "modules")
        shutil.rmtree(self.modules, ignore_errors=True)
        os.makedirs(self.modules, mode=0o755)
        self.good = BUILD_DIR / "modules" / "http.so"
        self.daemon = self.start_daemon(module_dir=self.modules)

    def put(self, name, data=None, mode=0o644):
        path = os.path.join(self.modules, f"{name}.so")
        with open(path + ".new", "wb") as file:
            file.write(self.good.read_bytes() if data is None else data)
        os.chmod(path + ".new", mode)
        os.rename(path + ".new", path)
        return path

    def assert_refused(self, name, reason, *words, exit_code=EXIT_CONFLICT):
        done = self.daemon.ctl("load", name, "--wait", check=False)
        self.assertEqual(done.returncode, exit_code, done.stdout + done.stderr)
        self.assertIn(f"[{reason}]", done.stderr)
        for word in words:
            self.assertIn(word, done.stderr.lower())
        self.daemon.ctl("modules")

    def assert_good_one_loads(self):
        self.put("http")
        wait_for("the module to load", lambda: self.daemon.ctl("load", "http", "--wait", check=False).returncode == 0)
        self.daemon.ctl("unload", "http")

    def test_good_module_dropped_in_needs_no_restart(self):
        self.assert_refused("http", "MODULE_NOT_FOUND", "no module", exit_code=EXIT_NOT_FOUND)
        self.assert_good_one_loads()

    def test_truncated(self):
        whole = self.good.read_bytes()
        for share in (0, 10, 64, len(whole) // 2, len(whole) - 100):
            self.put("http", whole[:share])
            self.assert_refused("http", "MODULE_CORRUPT")
        self.assert_good_one_loads()

    def test_corrupted(self):
        whole = self.good.read_bytes()
        for text, reason in ((b'"name"', "MANIFEST_INVALID"), (b".probed.manifest", "MODULE_CORRUPT")):
            at = whole.index(text)
            self.put("http", whole[:at] + b"\xff\x00bad" + whole[at + 5:])
            self.assert_refused("http", reason)
        self.assert_good_one_loads()

    def test_not_a_module(self):
        self.put("http", b"#!/bin/sh\necho no module\n")
        self.assert_refused("http", "MODULE_CORRUPT")
        with open("/bin/true", "rb") as program:
            self.put("http", program.read())
        self.assert_refused("http", "MODULE_CORRUPT")

    def test_wrong_abi(self):
        whole = self.good.read_bytes()
        for text in (b'"major": 1', b'"major":1'):
            if text in whole:
                self.put("http", whole.replace(text, text[:-1] + b"7"))
                self.assert_refused("http", "MODULE_ABI_MISMATCH", "abi")
                return
        self.fail("the manifest's ABI is not where this test looks for it")

    def test_world_writable(self):
        self.put("http", mode=0o646)
        self.assert_refused("http", "MODULE_UNTRUSTED_PATH", "writable")
        os.unlink(os.path.join(self.modules, "http.so"))
        self.assert_good_one_loads()

    def test_symlink(self):
        os.symlink(self.good, os.path.join(self.modules, "http.so"))
        self.assert_refused("http", "MODULE_UNTRUSTED_PATH")

    def test_names_are_not_paths(self):
        for name in ("../http", "/bin/true", ""):
            self.assert_refused(name, "CONFIG_INVALID", "spec.name", exit_code=EXIT_USAGE)
        self.assert_refused("http.so", "MODULE_NOT_FOUND", exit_code=EXIT_NOT_FOUND)


class BadConfiguration(LiveCase):
    def start_with(self, text):
        path = self.folder / "bad.yaml"
        path.write_text(text)
        daemon = Daemon(self.folder)
        return subprocess.run(daemon.command(path), capture_output=True, text=True, timeout=30)

    def assert_refused(self, text, *words):
        done = self.start_with(text)
        self.assertNotEqual(done.returncode, 0)
        for word in words:
            self.assertIn(word, done.stderr + done.stdout)

    def test_unknown_keys_name_the_nearest(self):
        self.assert_refused("modulse: []\n", "modulse", "modules")
        self.assert_refused("sinks:\n- {name: a, type: file, pth: /tmp/x}\n", "pth", "path")
        self.assert_refused("daemon: {ring_byte: 1MiB}\n", "ring_byte", "ring_bytes")

    def test_wrong_values_name_their_place(self):
        self.assert_refused("sinks:\n- {name: a, type: carrier_pigeon}\n", "carrier_pigeon")
        self.assert_refused("targets:\n- {name: a, ports: [70000]}\n", "70000")
        self.assert_refused("routes:\n- {name: a, sinks: [nowhere]}\n", "nowhere")
        self.assert_refused("modules: [{name: http\n", "yaml")

    def test_module_keys(self):
        daemon = self.start_daemon()
        daemon.load()
        done = daemon.ctl("configure", "http", "--set", "capture_byts=1024", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("capture_bytes", done.stderr)
        done = daemon.ctl("configure", "http", "--set", "capture_bytes=99999999", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("16384", done.stderr)
        daemon.ctl("configure", "http", "--set", "capture_bytes=1024")

    def test_client_without_a_daemon(self):
        daemon = Daemon(self.folder)
        done = daemon.ctl("modules", check=False)
        self.assertEqual(done.returncode, EXIT_UNREACHABLE)
        self.assertIn(str(daemon.socket), done.stderr)


class BadTraffic(LiveCase):
    def test_malformed_http_does_not_hurt(self):
        nginx = peers.Nginx(self)
        daemon = self.run_daemon(nginx.port, exclude=[os.getpid()])
        chance = random.Random(20)
        pieces = [b"GET / HTTP/1.1\r\n", b"Host: a\r\n", b"\r\n", b"\x00\xff",
                  b"Content-Length: 18446744073709551616\r\n", b"Transfer-Encoding: chunked\r\n",
                  b"ffffffffffffffff\r\n", b" folded\r\n", b"GET", b" ", b"HTTP/9.9",
                  b"POST /x HTTP/1.0\r\n", b"A" * 9000]
        for _ in range(500):
            with peers.connect(nginx.port) as connection:
                connection.settimeout(0.02)
                try:
                    connection.sendall(b"".join(chance.choice(pieces) for _ in range(chance.randrange(1, 9))))
                    connection.recv(65536)
                except OSError:
                    continue
        with peers.connect(nginx.port) as connection:
            connection.sendall(b"GET /still HTTP/1.1\r\nHost: a\r\n\r\n")
            peers.read_responses(connection, 1)
        daemon.wait_spans(1, kind=SERVER, path="/still")
        self.assertTrue(daemon.ctl_json("ledger")["closes"])


if __name__ == "__main__":
    unittest.main()
