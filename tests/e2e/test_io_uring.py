# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""What goes through io_uring cannot be read at the exits of the socket layer: it is counted, and nothing wrong is said."""

import os
import unittest

import peers
from harness import LiveCase
from spans import CLIENT, SERVER


class IoUring(LiveCase):
    def ask(self, connection, path):
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        peers.read_responses(connection, 1)

    def counted(self, daemon, scope, counter):
        ledger = daemon.ctl_json("ledger")
        self.assertTrue(ledger["closes"])
        return next(line for line in ledger["lines"] if line["scope"] == scope)["counters"][counter]

    def test_all_of_it(self):
        """The client calls the kernel as usual, so its side is whole; the server's is counted."""
        port = peers.uring_server(self)
        daemon = self.run_daemon(port)
        with peers.connect(port) as connection:
            for number in range(50):
                self.ask(connection, f"/uring/{number}")
        found = daemon.wait_spans(50, settle=1.0, kind=CLIENT)
        self.assertEqual([span.path for span in found], [f"/uring/{number}" for number in range(50)])
        self.assertEqual(daemon.spans(kind=SERVER), [])
        self.assertGreaterEqual(self.counted(daemon, "kernel", "unclassified"), 100)

    def test_by_turns(self):
        """A connection that was recognised by what went through system calls: the rest is counted as unreadable."""
        port = peers.uring_server(self)
        daemon = self.run_daemon(port, exclude=[os.getpid()])
        with peers.connect(port) as connection:
            for number in range(20):
                self.ask(connection, f"/plain/{number}")  # the first goes by io_uring, and says how the next goes
                self.ask(connection, f"/uring/{number}")
        found = daemon.wait_spans(20, settle=1.0, kind=SERVER)
        self.assertEqual([span.path for span in found], [f"/uring/{number}" for number in range(20)])
        self.assertEqual({span.attributes["http.response.status_code"] for span in found}, {200})
        self.assertGreaterEqual(self.counted(daemon, "module:http", "unreadable"), 38)


if __name__ == "__main__":
    unittest.main()
