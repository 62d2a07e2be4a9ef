# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""A stream that a module took by its first bytes and then found not to be its own costs nothing more."""

import os
import socket
import threading
import unittest

from harness import LiveCase, wait_for

ROUNDS = 200


class Echo:
    """Sends back what it gets."""

    def __init__(self, case):
        self._listener = socket.create_server(("127.0.0.1", 0))
        case.addCleanup(self._listener.close)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    @staticmethod
    def _serve(peer):
        with peer:
            while data := peer.recv(4096):
                peer.sendall(data)


class GiveAway(LiveCase):
    def exchange(self, connection, payload):
        connection.sendall(payload)
        got = b""
        while len(got) < len(payload):
            got += connection.recv(4096)

    def counters(self, daemon):
        counters = daemon.counters()
        return {name: counters.get(("module:http", name), 0) for name in ("consumed", "streams_given_away")} | {
            "unclassified": counters.get(("kernel", "unclassified"), 0)}

    def test_kernel_ships_nothing_more(self):
        echo = Echo(self)
        daemon = self.run_daemon(echo.port)
        with socket.create_connection(("127.0.0.1", echo.port)) as connection:
            # To the classifier a request, as far as it looks; to the decoder none, because no version follows.
            for _ in range(8):
                self.exchange(connection, b"GET /" + b"a" * 80 + b"\r\n\r\n")
            wait_for("both ends to be given away", lambda: self.counters(daemon)["streams_given_away"] == 2)
            self.exchange(connection, b"the kernel hears of it here")
            before = self.counters(daemon)
            for _ in range(ROUNDS):
                self.exchange(connection, b"and from here on")
            after = self.counters(daemon)
        self.assertEqual(after["consumed"], before["consumed"], (before, after))
        self.assertGreaterEqual(after["unclassified"] - before["unclassified"], 4 * ROUNDS)
        self.assertEqual([line for line in daemon.ctl_json("ledger")["lines"] if line.get("imbalance")], [])


if __name__ == "__main__":
    unittest.main()
