# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""What the tls module costs a server on this machine: CPU time per HTTPS request, bare and traced rounds in turn.

    sudo tls_cost.py BUILD_DIR [--server nginx|go|node] [--rounds 5] [--requests 8000]

The server (nginx with one worker, Go's net/http, Node) is asked by ab over 4 connections: kept alive, or each with a
handshake of its own. Variants: bare; http and tls loaded and the server the target; of nginx the same with another program
that uses OpenSSL as the target, so that nginx runs into probes that are not meant for it; and of nginx with a copy of libssl
whose SSL_read and SSL_write do the same by another instruction, so that the module does not know their code and probes entry
and return: "copy bare" and "copy target". Printed: of each variant the median, the least, and the median of its differences to
bare in the same round (those of the copy to its own). That each request of the target became a span is checked.
"""

import argparse
import contextlib
import glob
import os
import pathlib
import re
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

VARIANTS = ("bare", "target", "not a target", "copy bare", "copy target") if options.server == "nginx" else ("bare", "target")


def probed_plainly(library, folder):
    """A copy in which `or` has the place of `test`, which comes to the same."""
    code = bytearray(pathlib.Path(library).read_bytes())
    symbols = subprocess.run(["readelf", "-Ws", "--dyn-syms", library], capture_output=True, text=True, check=True).stdout
    for name in ("SSL_read", "SSL_write"):
        (offset,) = {int(line.split()[1], 16) for line in symbols.splitlines() if re.search(rf" {name}@@", line)}
        at = code.index(b"\x85\xd2", offset, offset + 40)  # test %edx,%edx; in this section address and offset are the same
        code[at] = 0x09  # or %edx,%edx
    copy = folder / os.path.basename(library)
    copy.write_bytes(code)
    return copy


@contextlib.contextmanager
def libraries_of(folder):
    os.environ["LD_LIBRARY_PATH"] = str(folder)
    try:
        yield
    finally:
        del os.environ["LD_LIBRARY_PATH"]


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

    def start_copy(self):
        if "copy bare" not in VARIANTS:
            return None
        with open(f"/proc/{self.own.process.pid}/maps", encoding="ascii") as maps:
            (library,) = {line.split()[5] for line in maps if "/libssl.so" in line}
        with libraries_of(probed_plainly(library, self.folder).parent):
            return self.start_server()

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
        self.server = self.copy if variant.startswith("copy") else self.own
        if variant.endswith("bare"):
            return self.microseconds(keep_alive)
        folder = self.folder / f"{keep_alive}-{variant}-{number}".replace(" ", "_")
        folder.mkdir()
        program = os.path.realpath(peers.PYTHON if variant == "not a target" else self.server.program)
        daemon = harness.Daemon(folder, targets=[{"name": "one", "exe": [program]}]).start()
        try:
            for module in ("http", "tls"):
                daemon.load(module)
            self.assertGreater(daemon.counters()[("module:tls", "attach.sites")], 0)
            took = self.microseconds(keep_alive)
            if variant != "not a target":
                requests = options.requests if keep_alive else options.requests // 8
                self.assertEqual(len(daemon.wait_spans(requests, settle=0.3, kind=SERVER)), requests)
                self.assertEqual(daemon.losses(), {})
        finally:
            daemon.stop()
        return took

    def test(self):
        self.server = self.own = self.start_server()
        self.copy = self.start_copy()
        other = subprocess.Popen([peers.PYTHON, "-c", "import ssl, time; print(flush=True); time.sleep(3600)"],
                                 stdout=subprocess.PIPE)
        self.addCleanup(lambda: (other.kill(), other.wait(), other.stdout.close()))
        other.stdout.readline()
        for keep_alive in (True, False):
            for self.server in filter(None, (self.own, self.copy)):
                self.ask(1000, keep_alive)
            took = {variant: [] for variant in VARIANTS}
            for number in range(options.rounds):
                for variant in VARIANTS:
                    took[variant].append(self.round(variant, number, keep_alive))
            print("kept alive" if keep_alive else "a handshake each")
            for variant in VARIANTS:
                bare = took["copy bare" if variant.startswith("copy") else "bare"]
                added = statistics.median(mine - theirs for mine, theirs in zip(took[variant], bare))
                print(f"  {variant:13} {statistics.median(took[variant]):7.1f} us of {options.server} per request, least "
                      f"{min(took[variant]):7.1f}, added {added:6.1f}, least to least {min(took[variant]) - min(bare):6.1f}")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
