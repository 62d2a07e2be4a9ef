# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""A daemon with http loaded and nothing to see does not wake up."""

import os
import time
import unittest

import leaks
from harness import FULL, LiveCase, free_port, wait_for

SECONDS = int(os.environ.get("PROBED_IDLE_SECONDS", "60" if FULL else "20"))


class Idle(LiveCase):
    def test_no_wake_ups(self):
        daemon = self.run_daemon(free_port(), sinks=[])

        def is_quiet():
            before = leaks.switches(daemon.pid, without=("discovery",))
            time.sleep(2)
            return leaks.switches(daemon.pid, without=("discovery",)) == before
        wait_for("what load and the last client's connection leave to do", is_quiet)
        # Processes that come and go anywhere on the machine wake [discovery]: events, not timers.
        before, forks = leaks.switches(daemon.pid), leaks.forks()
        time.sleep(SECONDS)
        after, events = leaks.switches(daemon.pid), 3 * (leaks.forks() - forks)  # each with a start, a program and an end
        woken = {name: after[name] - count for name, count in before.items()}
        discovery = [name for name in woken if name.endswith(" discovery")]
        self.assertEqual(len(discovery), 1)
        self.assertLessEqual(woken.pop(discovery[0]), 2 * events + 2)
        self.assertEqual(set(woken.values()), {0}, woken)
        self.assertEqual(set(after), set(before))


if __name__ == "__main__":
    unittest.main()
