# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""configure and unload while requests go on: nothing lost, nothing doubled, nothing left behind."""

import os
import threading
import unittest

import leaks
import peers
from harness import FULL, LiveCase
from spans import SERVER

CONFIGURES = 200
CYCLES = 1000 if FULL else 50


class Load:
    """Rounds of exactly counted requests until told to stop, then it finishes the round it is in."""

    def __init__(self, case, port):
        self._case, self._port = case, port
        self.requests = 0
        self._stop = threading.Event()
        self._failure = None
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        if self._failure:
            raise self._failure

    def _run(self):
        try:
            while not self._stop.is_set():
                peers.h2load(self._case, self._port, 10_000, 16, rate=20_000)
                self.requests += 10_000
        except BaseException as failure:  # handed to the thread that runs the test
            self._failure = failure


class RunTimeControl(LiveCase):
    def setUp(self):
        super().setUp()
        self.nginx = peers.Nginx(self)
        self.exclude = [os.getpid(), self.need("h2load")]

    def test_configure_under_load_is_exact(self):
        daemon = self.run_daemon(self.nginx.port, exclude=self.exclude)
        with Load(self, self.nginx.port) as load:
            for number in range(CONFIGURES):
                reply = daemon.ctl_json("configure", "http", "--set", f"capture_bytes={4096 + number}")
                receipt = reply["outcome"]["receipt"]
                self.assertEqual((receipt["lost"], receipt["doubled"]), (0, 0), receipt)
                self.assertEqual(receipt["submitted_old"], receipt["consumed_old"], receipt)
        requests = load.requests
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
        objects, held = leaks.bpf_objects(), leaks.descriptors(daemon.pid)
        self.assertEqual(leaks.mapped_modules(daemon.pid), [])
        resident = None
        with Load(self, self.nginx.port):
            for number in range(CYCLES):
                daemon.load()
                daemon.ctl("unload", "http")
                if number == CYCLES // 2:
                    resident = leaks.resident_kib(daemon.pid)
        self.assertEqual(leaks.wait_no_new_objects(objects), [])
        # The file sink opens its file at its first batch.
        left = {name: count for name, count in (leaks.descriptors(daemon.pid) - held).items() if "spans.jsonl" not in name}
        self.assertEqual(left, {})
        self.assertEqual(leaks.mapped_modules(daemon.pid), [])
        self.assertLess(leaks.resident_kib(daemon.pid), resident * 1.2 + 2048)
        found = daemon.spans(kind=SERVER)
        self.assertEqual(len({span.span_id for span in found}), len(found))
        self.assertLessEqual(len(found), self.nginx.requests())

    def test_the_daemon_leaves_nothing_when_it_ends(self):
        objects = leaks.bpf_objects()
        daemon = self.run_daemon(self.nginx.port, exclude=self.exclude)
        self.assertNotEqual(leaks.new_objects(objects), [])
        with Load(self, self.nginx.port):
            daemon.stop()
        self.assertEqual(leaks.wait_no_new_objects(objects), [])


if __name__ == "__main__":
    unittest.main()
