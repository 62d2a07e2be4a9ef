# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""Server and client of one language, as servers/grpc/README.md says: how they are built and run."""

import subprocess

from harness import BUILD_DIR, accepts, end, free_port, wait_for
from languages import Missing, go_program, java_program, node_program
from languages import built as built_once
from peers import SERVERS

SOURCES = SERVERS / "grpc"
BUILDERS = {"go": go_program, "node": lambda *where: node_program(*where, "echo.js"),
            "java": lambda *where: java_program(*where, "Echo")}


def built(name):
    """The command of a language's program."""
    return built_once(SOURCES / name, f"grpc_echo/{name}", lambda folder: BUILDERS[name](SOURCES / name, folder))


def cxx():
    echo = BUILD_DIR / "bench" / "grpc_echo"
    if not echo.exists():
        raise Missing("grpc_echo was not built")
    return [str(echo)]


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
