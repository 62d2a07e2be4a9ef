# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""Server and client of one language, as servers/grpc/README.md says: how they are built and run.

What a registry must give comes through the language's ordinary client, in the versions that the lock files name. Where
that is not to be had the test skips and says so. What was built is kept in the build folder until its sources change.
"""

import hashlib
import json
import os
import shutil
import subprocess

from harness import BUILD_DIR, accepts, end, free_port, wait_for
from peers import SERVERS

SOURCES = SERVERS / "grpc"


class Missing(Exception):
    """What is not to be had on this machine."""


def program(name):
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/local/go/bin")
    if path is None:
        raise Missing(f"{name} is not installed")
    return path


def fetch(what, command, **options):
    """A command that may need the network."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=180, stdin=subprocess.DEVNULL, **options)
    except subprocess.TimeoutExpired:
        raise Missing(f"{what} did not come within 180 s") from None
    if done.returncode != 0:
        raise Missing(f"{what}: {(done.stderr or done.stdout).strip()[-300:]}")


def built(name):
    """The command of a language's program, built once for its sources."""
    folder = BUILD_DIR / "grpc_echo" / name
    sources = sorted(path for path in (SOURCES / name).glob("*") if path.is_file())
    stamp = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
    done = folder / "built.json"
    if done.exists():
        kept = json.loads(done.read_text())
        if kept["sources"] == stamp:
            return kept["command"]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    command = list(map(str, {"go": build_go, "node": build_node, "java": build_java}[name](folder)))
    done.write_text(json.dumps({"sources": stamp, "command": command}))
    return command


def cxx():
    echo = BUILD_DIR / "bench" / "grpc_echo"
    if not echo.exists():
        raise Missing("grpc_echo was not built")
    return [str(echo)]


def build_go(folder):
    """go.sum has the modules' checksums; -mod=readonly lets nobody change it."""
    go = program("go")
    here = SOURCES / "go"
    environment = {**os.environ, "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local"}
    fetch("the Go modules", [go, "mod", "download"], cwd=here, env=environment)
    subprocess.run([go, "build", "-o", folder / "echo", "."], check=True, cwd=here, env=environment)
    return [folder / "echo"]


def build_node(folder):
    npm, node = program("npm"), program("node")
    for name in ("package.json", "package-lock.json", "echo.js"):
        shutil.copy(SOURCES / "node" / name, folder)
    fetch("the npm packages", [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder)
    return [node, folder / "echo.js"]


def build_java(folder):
    maven, javac, java = program("mvn"), program("javac"), program("java")
    for name in ("pom.xml", "Echo.java"):
        shutil.copy(SOURCES / "java" / name, folder)
    fetch("the Maven artifacts", [maven, "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=lib"], cwd=folder)
    subprocess.run([javac, "-cp", f"{folder}/lib/*", "-d", folder / "classes", folder / "Echo.java"], check=True)
    return [java, "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", f"{folder}/classes:{folder}/lib/*", "Echo"]


class Server:
    """Runs for all tests of a class."""

    def __init__(self, command, folder, *secrets):
        self.port = free_port()
        with open(folder / "server.log", "ab") as log:
            self.process = subprocess.Popen([*command, "server", str(self.port), *map(str, secrets)], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        try:
            wait_for("the server to listen", lambda: accepts(self.port))
        except AssertionError:
            self.stop()
            raise

    def stop(self):
        end(self.process)


class Client:
    """A process of its own, with one connection, told what to call."""

    def __init__(self, case, command, port, *secrets):
        self.process = subprocess.Popen([*command, "client", str(port), *map(str, secrets)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        case.addCleanup(self.close)

    def ask(self, *words):
        """The number of the status the client saw."""
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()
