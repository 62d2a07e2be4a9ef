# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""What must hold for every module while its traffic goes on: configured, loaded and unloaded it loses and doubles
nothing and leaves nothing behind; and what a stopped daemon lost is counted, and is over when it runs again."""

import os
import signal
import threading
import time

import leaks
from harness import FULL, wait_for

CONFIGURES = 200 if FULL else 10


class Operations:
    def operations(self, daemon):
        return [span for span in daemon.spans() if self.is_operation(span)]


class Load:
    """Calls round_of(), which returns how many operations it did, until told to stop; it finishes the round it is in."""

    def __init__(self, round_of):
        self._round = round_of
        self.operations = 0
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
                self.operations += self._round()
        except BaseException as failure:  # handed to the thread that runs the test
            self._failure = failure


class UnderLoad(Operations):
    """A case of a module says `module`, and

    load_peers()           starts what the load needs and returns its round_of()
    load_daemon(**options) a daemon without the module, whose targets see one end of each operation
    is_operation(span)     whether it stands for one
    setting(number)        a key and its value; nothing of what is counted depends on it
    """

    cycles = 100 if FULL else 2

    def setting(self, number):
        return f"capture_bytes={4096 + number}"

    def wait_operations(self, daemon, count, seconds=60):
        wait_for(f"{count} operations", lambda: len(self.operations(daemon)) >= count, seconds, 0.1)

    def test_configure_under_load_is_exact(self):
        round_of = self.load_peers()
        daemon = self.load_daemon()
        daemon.load(self.module)
        with Load(round_of) as load:
            for number in range(CONFIGURES):
                reply = daemon.ctl_json("configure", self.module, "--set", self.setting(number))
                receipt = reply["outcome"]["receipt"]
                self.assertEqual((receipt["lost"], receipt["doubled"]), (0, 0), receipt)
                self.assertEqual(receipt["submitted_old"], receipt["consumed_old"], receipt)
        self.wait_operations(daemon, load.operations)
        daemon.wait_spans(0, settle=1.0)
        found = self.operations(daemon)
        self.assertEqual(len(found), load.operations)
        self.assertEqual(len({span.span_id for span in found}), load.operations)
        self.assertEqual(daemon.losses(), {})
        self.assertTrue(daemon.ctl_json("ledger")["closes"])

    def test_load_and_unload_under_load_leave_nothing(self):
        round_of = self.load_peers()
        daemon = self.load_daemon()
        daemon.load(self.module)
        daemon.ctl("unload", self.module)
        footprint = leaks.Footprint(self, daemon)
        with Load(round_of) as load:
            for number in range(self.cycles):
                daemon.load(self.module)
                self.assertNotEqual(leaks.new_objects(footprint.objects), [])
                self.wait_operations(daemon, len(self.operations(daemon)) + 1)
                daemon.ctl("unload", self.module)
                if number == self.cycles // 2:
                    resident = leaks.resident_kib(daemon.pid)
        footprint.assert_as_before(resident)
        found = self.operations(daemon)
        self.assertEqual(len({span.span_id for span in found}), len(found))
        self.assertLessEqual(len(found), load.operations)
        # Of an operation that was under way then, either nothing is said or what it was.
        self.assertEqual([(span.name, span.attributes) for span in daemon.spans() if "error.type" in span.attributes], [])


class Overflow(Operations):
    """A daemon that does not run for a while, and a ring that is too small for that. A case says `module`, and

    talk_peers()           starts what is needed and returns talk(first, count): operations first..first+count-1, one
                           after the other, all of them on one connection where the protocol has some
    load_daemon(**options) as above
    is_operation(span)     as above
    number_of(span)        which operation it is about; None: it does not say, which only `unnamed` ones may
    """

    load_options = ()
    unnamed = False
    held_up = 0  # operations after it that are still counted as lost: what comes next might be about those before
    BEFORE, STOPPED, AFTER, AT_ONCE = 20, 500, 100, 10
    # What became of the records and of what was left of an operation.
    LOST = ("ring_full", "aborted.gap", "aborted.unmatched", "aborted.close", "undecodable.gap")

    def test_what_a_full_ring_loses_is_counted(self):
        talk = self.talk_peers()
        daemon = self.load_daemon(daemon={"ring_bytes": "64KiB"})
        daemon.load(self.module, *self.load_options)
        talk(0, self.BEFORE)
        wait_for("the first spans", lambda: len(self.operations(daemon)) >= self.BEFORE)
        self.assertEqual(daemon.losses(), {})
        os.kill(daemon.pid, signal.SIGSTOP)
        try:
            talk(self.BEFORE, self.STOPPED)
        finally:
            os.kill(daemon.pid, signal.SIGCONT)
        counted = daemon.counters()  # behind all that is in the ring
        again_ns = time.time_ns()
        for first in range(0, self.AFTER, self.AT_ONCE):
            talk(self.BEFORE + self.STOPPED + first, self.AT_ONCE)
            daemon.counters()  # so that a daemon that gets no processor does not lose more
        daemon.wait_quiet()
        self.check_counts(daemon, counted)
        self.check_again(daemon, counted, again_ns)

    def check_counts(self, daemon, counted):
        """Nobody counts operations that were lost; what they consisted of is, so these are at least as many."""
        done = self.BEFORE + self.STOPPED + self.AFTER
        found = self.operations(daemon)
        counters = daemon.counters()
        lost = {name: counters.get((f"module:{self.module}", name), 0) for name in self.LOST}
        print(f"{self.module}: of {done} operations {len(found)} are spans; {({name: n for name, n in lost.items() if n})}")
        self.assertGreater(lost["ring_full"], 0)
        self.assertLess(len(found), done)
        self.assertGreaterEqual(len(found) + sum(lost.values()), done)
        numbers = [number for number in map(self.number_of, found) if number is not None]
        self.assertEqual(len(set(numbers)), len(numbers))
        self.assertLessEqual(set(numbers), set(range(done)))
        # All of it while the daemon stood still.
        self.assertEqual(lost["ring_full"], counted[f"module:{self.module}", "ring_full"])
        self.assertTrue(daemon.ctl_json("ledger")["closes"])

    def check_again(self, daemon, counted, again_ns):
        again = [span for span in self.operations(daemon) if span.start_ns >= again_ns]
        aborted = {name: daemon.counters().get((f"module:{self.module}", name), 0) - counted.get((f"module:{self.module}", name), 0)
                   for name in self.LOST}
        missing = self.AFTER - len(again)
        self.assertIn(missing, range(self.held_up + 1), aborted)
        self.assertLessEqual(missing, sum(aborted.values()))
        numbers = [number for number in map(self.number_of, again) if number is not None]
        end = self.BEFORE + self.STOPPED + self.AFTER
        self.assertLessEqual(set(numbers), set(range(end - self.AFTER, end)))
        if not self.unnamed:
            self.assertEqual(sorted(numbers), list(range(end - len(again), end)))
        for span in again:
            self.assertNotIn("error.type", span.attributes)
