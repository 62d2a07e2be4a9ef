# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""configure and unload while requests go on: nothing lost, nothing doubled, nothing left behind."""

import os
import unittest

import leaks
import peers
from harness import FULL, LiveCase
from spans import SERVER
from under_load import Load, Overflow

CONFIGURES = 200 if FULL else 60
CYCLES = 100 if FULL else 20
ROUND = 10_000 if FULL else 5000  # requests, twice as many a second


class RunTimeControl(LiveCase):
    def setUp(self):
        super().setUp()
        self.nginx = peers.Nginx(self)
        self.exclude = [os.getpid(), self.need("h2load")]

    def load(self):
        """Rounds of exactly counted requests."""
        peers.h2load(self, self.nginx.port, ROUND, 16, rate=2 * ROUND)
        return ROUND

    def test_configure_under_load_is_exact(self):
        daemon = self.run_daemon(self.nginx.port, exclude=self.exclude)
        with Load(self.load) as load:
            for number in range(CONFIGURES):
                reply = daemon.ctl_json("configure", "http", "--set", f"capture_bytes={4096 + number}")
                receipt = reply["outcome"]["receipt"]
                self.assertEqual((receipt["lost"], receipt["doubled"]), (0, 0), receipt)
                self.assertEqual(receipt["submitted_old"], receipt["consumed_old"], receipt)
        requests = load.operations
        self.nginx.wait_requests(requests)
        found = daemon.wait_spans(requests, seconds=120, settle=1.0, kind=SERVER)
        self.assertEqual(len(found), requests)
        self.assertEqual(len({span.span_id for span in found}), requests)
        self.assertEqual(daemon.losses(), {})

    def test_load_and_unload_under_load_leave_nothing(self):
        daemon = self.start_daemon(targets=[{"name": "t", "ports": [self.nginx.port]},
                                            {"name": "n", "exclude": True, "exe": [os.path.realpath(self.exclude[1])]}])
        daemon.ctl("load", "http", "--wait")
        daemon.ctl("unload", "http")
        footprint = leaks.Footprint(self, daemon)
        resident = None
        with Load(self.load):
            for number in range(CYCLES):
                daemon.load()
                daemon.ctl("unload", "http")
                if number == CYCLES // 2:
                    resident = leaks.resident_kib(daemon.pid)
        footprint.assert_as_before(resident)
        found = daemon.spans(kind=SERVER)
        self.assertEqual(len({span.span_id for span in found}), len(found))
        self.assertLessEqual(len(found), self.nginx.requests())

    def test_the_daemon_leaves_nothing_when_it_ends(self):
        objects = leaks.bpf_objects()
        daemon = self.run_daemon(self.nginx.port, exclude=self.exclude)
        self.assertNotEqual(leaks.new_objects(objects), [])
        with Load(self.load):
            daemon.stop()
        self.assertEqual(leaks.wait_no_new_objects(objects), [])


class FullRing(Overflow, LiveCase):
    module = "http"
    held_up = 1

    def talk_peers(self):
        self.nginx = peers.Nginx(self)
        connection = peers.connect(self.nginx.port)
        self.addCleanup(connection.close)

        def talk(first, count):
            for number in range(first, first + count):
                connection.sendall(f"GET /n/{number} HTTP/1.1\r\nHost: shop.test\r\n\r\n".encode())
                peers.read_responses(connection, 1)
        return talk

    def load_daemon(self, **options):
        return self.start_daemon(targets=[{"name": "nginx", "pids": [self.nginx.process.pid]}], **options)

    def is_operation(self, span):
        return span.kind == SERVER

    def number_of(self, span):
        return int(span.path.removeprefix("/n/"))


if __name__ == "__main__":
    unittest.main()
