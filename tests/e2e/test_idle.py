# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""A daemon with http loaded and nothing to see does not wake up."""

import os
import time
import unittest

import leaks
from harness import FULL, LiveCase, free_port

SECONDS = int(os.environ.get("PROBED_IDLE_SECONDS", "60" if FULL else "20"))


class Idle(LiveCase):
    def test_no_wake_ups(self):
        daemon = self.run_daemon(free_port(), sinks=[])
        time.sleep(3)  # what load and the last client's connection leave to do
        # Processes that come and go anywhere on the machine wake [discovery]: events, not timers.
        before = leaks.switches(daemon.pid, without=("discovery",))
        time.sleep(SECONDS)
        self.assertEqual(leaks.switches(daemon.pid, without=("discovery",)), before)


if __name__ == "__main__":
    unittest.main()
