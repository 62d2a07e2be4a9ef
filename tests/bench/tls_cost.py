# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""What the tls module costs a server on this machine: CPU time per HTTPS request, bare and traced rounds in turn.

    sudo tls_cost.py BUILD_DIR [--server nginx|go|node] [--rounds 5] [--requests 8000]

The server (nginx with one worker, Go's net/http, Node) is asked by ab over 4 connections: kept alive, or each with a
handshake of its own. Variants: bare; http
and tls loaded and the server the target; of nginx the same with another program that uses OpenSSL as the target, so that
nginx runs into probes that are not meant for it. Printed: the median of each variant and its difference to bare. That each request
of the target became a span is checked.
"""

import argparse
import glob
import os
import pathlib
import statistics
import subprocess
import sys
import unittest

E2E = pathlib.Path(__file__).resolve().parents[1] / "e2e"
sys.path.insert(0, str(E2E))
sys.dont_write_bytecode = True

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("build", type=pathlib.Path)
parser.add_argument("--server", choices=("nginx", "go", "node"), default="nginx")
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--requests", type=int, default=8000)
options = parser.parse_args()
os.environ["PROBED_BUILD_DIR"] = str(options.build.resolve())

import harness  # noqa: E402  needs PROBED_BUILD_DIR
import peers  # noqa: E402
from spans import SERVER  # noqa: E402
from test_tls import TlsCase  # noqa: E402

VARIANTS = ("bare", "target", "not a target") if options.server == "nginx" else ("bare", "target")


def cpu_ns(pid):
    total = 0
    for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
        with open(path, encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total


class Server:
    """As much of peers.Nginx as is needed here."""

    def __init__(self, case, program, *script):
        self.program = str(program)
        self.port = harness.free_port()
        address = self.port if script else f"127.0.0.1:{self.port}"
        self.process = peers.server(case, [program, *script, "serve", address, case.cert, case.key], self.port)


class Cost(TlsCase):
    def start_server(self):
        if options.server == "go":
            return Server(self, peers.build_go(self, "https", flags=("-ldflags", "-s -w")))
        if options.server == "node":
            return Server(self, self.need("node"), peers.SERVERS / "https.js")
        return peers.Nginx(self, tls=(self.cert, self.key))

    def ask(self, requests, keep_alive):
        done = subprocess.run(["ab", "-q", "-n", str(requests), "-c", "4", *(["-k"] if keep_alive else []),
                               f"https://127.0.0.1:{self.server.port}/x"], capture_output=True, text=True, check=True)
        self.assertIn("Failed requests:        0", done.stdout)

    def microseconds(self, keep_alive):
        requests = options.requests if keep_alive else options.requests // 8
        before = cpu_ns(self.server.process.pid)
        self.ask(requests, keep_alive)
        return (cpu_ns(self.server.process.pid) - before) / requests / 1000

    def round(self, variant, number, keep_alive):
        if variant == "bare":
            return self.microseconds(keep_alive)
        folder = self.folder / f"{keep_alive}-{variant}-{number}".replace(" ", "_")
        folder.mkdir()
        program = os.path.realpath(self.server.program if variant == "target" else peers.PYTHON)
        daemon = harness.Daemon(folder, targets=[{"name": "one", "exe": [program]}]).start()
        try:
            for module in ("http", "tls"):
                daemon.load(module)
            self.assertGreater(daemon.counters()[("module:tls", "attach.sites")], 0)
            took = self.microseconds(keep_alive)
            if variant == "target":
                requests = options.requests if keep_alive else options.requests // 8
                self.assertEqual(len(daemon.wait_spans(requests, settle=0.3, kind=SERVER)), requests)
                self.assertEqual(daemon.losses(), {})
        finally:
            daemon.stop()
        return took

    def test(self):
        self.server = self.start_server()
        other = subprocess.Popen([peers.PYTHON, "-c", "import ssl, time; print(flush=True); time.sleep(3600)"],
                                 stdout=subprocess.PIPE)
        self.addCleanup(lambda: (other.kill(), other.wait(), other.stdout.close()))
        other.stdout.readline()
        for keep_alive in (True, False):
            self.ask(1000, keep_alive)
            took = {variant: [] for variant in VARIANTS}
            for number in range(options.rounds):
                for variant in VARIANTS:
                    took[variant].append(self.round(variant, number, keep_alive))
            bare = statistics.median(took["bare"])
            print("kept alive" if keep_alive else "a handshake each")
            for variant in VARIANTS:
                median = statistics.median(took[variant])
                print(f"  {variant:13} {median:7.1f} us of {options.server} per request, added {median - bare:6.1f}")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
