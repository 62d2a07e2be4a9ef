# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""Attach plans: probes in a library, in programs that run already, start later, or load the library later."""

import collections
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import leaks
from harness import BUILD_DIR, FULL, LiveCase, wait_for

CALLS = 10_000
PROGRAMS = BUILD_DIR / "fixture_programs"
MODULE = "attach_probe"
SCOPE = f"module:{MODULE}"
EXIT_DEGRADED = 7


class Caller:
    """A program that loads and calls the library as told."""

    def __init__(self, case, library, command=()):
        self._process = subprocess.Popen([*command, PROGRAMS / "attach_caller", library], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, text=True)
        self._case = case
        case.addCleanup(self.end)

    @property
    def pid(self):
        return self._process.pid

    def tell(self, words):
        self._process.stdin.write(words + "\n")
        self._process.stdin.flush()

    def heed(self):
        self._case.assertEqual(self._process.stdout.readline(), "ok\n")
        return self

    def do(self, words):
        self.tell(words)
        return self.heed()

    def end(self):
        if self._process.poll() is None:
            self._process.stdin.close()
            self._process.wait(30)
        self._process.stdout.close()


class AttachCase(LiveCase):
    uprobes = ""
    link_type = "uprobe_multi"

    def setUp(self):
        super().setUp()
        self.library = PROGRAMS / "libattach_target.so"
        if not self.library.exists() or not (BUILD_DIR / "fixture_modules" / f"{MODULE}.so").exists():
            self.skipTest("attach_fixtures are not built")

    def daemon_for(self, daemon=(), **options):
        daemon = {**({"uprobes": self.uprobes} if self.uprobes else {}), **dict(daemon)}
        targets = [{"name": "caller", "service_name": "calls", "exe": [str(PROGRAMS / "attach_caller")]}]
        return self.start_daemon(module_dir=BUILD_DIR / "fixture_modules",
                                 daemon=daemon, **{"targets": targets, **options})

    def attach(self, daemon, name):
        return daemon.counters().get((SCOPE, f"attach.{name}"), 0)

    def wait_files(self, daemon, count, seconds=60):
        wait_for(f"{count} probed files", lambda: self.attach(daemon, "files") == count, seconds)

    def assert_calls(self, daemon, calls):
        """`calls`: {pid: arguments}. Exactly these were seen, each with its return."""
        wanted = sum(map(len, calls.values()))
        found = daemon.wait_spans(2 * wanted, seconds=60, settle=0.5, name="attach_target_work")
        self.assertEqual(len(found), 2 * wanted)
        for key, factor in (("attach.argument", 1), ("attach.result", 3)):
            seen = collections.Counter((span.attributes["attach.tgid"], span.attributes[key])
                                       for span in found if key in span.attributes)
            self.assertEqual(seen, collections.Counter((pid, factor * number) for pid, numbers in calls.items()
                                                       for number in numbers))
        self.assertEqual({span.resource["process.pid"] for span in found}, set(calls))
        self.assertEqual({span.resource["service.name"] for span in found}, {"calls"})
        self.assertEqual(daemon.losses(), {})
        self.assertEqual(daemon.ctl("doctor", check=False).returncode, 0)


class Attach(AttachCase):
    def test_running_program_is_probed_at_load(self):
        caller = Caller(self, self.library).do("load").do("call 10")
        daemon = self.daemon_for()
        objects = leaks.bpf_objects()
        daemon.load(MODULE)
        links = [shown.split()[2] for shown in leaks.new_objects(objects) if shown.startswith("link")]
        self.assertEqual(set(links), {self.link_type})
        caller.do(f"call {CALLS}")
        self.assert_calls(daemon, {caller.pid: range(CALLS)})

    def test_program_started_later_loads_the_library_late(self):
        daemon = self.daemon_for()
        daemon.load(MODULE)
        self.assertEqual(self.attach(daemon, "files"), 0)
        caller = Caller(self, self.library).do("load")
        self.wait_files(daemon, 1)
        caller.do(f"call {CALLS}")
        self.assert_calls(daemon, {caller.pid: range(CALLS)})

    def test_one_link_set_serves_all_programs_and_asks_once(self):
        callers = [Caller(self, self.library).do("load") for _ in range(3)]
        daemon = self.daemon_for()
        daemon.load(MODULE)
        links, planned = self.attach(daemon, "links"), self.attach(daemon, "planned")
        callers.append(Caller(self, self.library).do("load"))
        for caller in callers:
            caller.do("call 500")
        self.assert_calls(daemon, {caller.pid: range(500) for caller in callers})
        self.assertEqual((self.attach(daemon, "links"), self.attach(daemon, "planned")), (links, planned))

    def test_many_at_once(self):
        callers = [Caller(self, self.library).do("load") for _ in range(4)]
        daemon = self.daemon_for(daemon={"ring_bytes": "16MiB"})  # holds all of it: they leave the daemon no core
        daemon.load(MODULE)
        for caller in callers:
            caller.tell(f"call {CALLS}")
        for caller in callers:
            caller.heed()
        self.assert_calls(daemon, {caller.pid: range(CALLS) for caller in callers})

    def test_programs_that_are_no_targets_are_left_alone(self):
        daemon = self.daemon_for(targets=[{"name": "other", "exe": ["/nowhere/else"]}])
        caller = Caller(self, self.library).do("load")
        daemon.load(MODULE)
        self.assertEqual(self.attach(daemon, "files"), 0)
        caller.do("call 100")
        self.assertEqual(daemon.spans(name="attach_target_work"), [])

    def test_verdict_is_per_process_where_a_file_is_shared(self):
        target, other = (Caller(self, self.library).do("load") for _ in range(2))
        daemon = self.daemon_for(targets=[{"name": "one", "service_name": "calls", "pids": [target.pid]}])
        daemon.load(MODULE)
        other.do("call 100")
        target.do("call 100")
        other.do("call 100")
        self.assert_calls(daemon, {target.pid: range(100)})
        self.assertEqual(daemon.counters()[("kernel", "filtered")], 400)

    def test_targets_added_later_are_probed(self):
        daemon = self.daemon_for(targets=[{"name": "other", "exe": ["/nowhere/else"]}])
        caller = Caller(self, self.library).do("load")
        daemon.load(MODULE)
        rule = self.folder / "target.json"
        rule.write_text('{"name": "caller", "service_name": "calls", "exe": ["%s"]}' % (PROGRAMS / "attach_caller"))
        daemon.ctl("targets", "put", "-f", rule)
        self.wait_files(daemon, 1)
        caller.do("call 100")
        self.assert_calls(daemon, {caller.pid: range(100)})

    def test_another_mount_namespace(self):
        unshare = self.need("unshare")
        hidden = pathlib.Path(tempfile.mkdtemp(prefix="probed-ns.", dir=self.folder))
        script = (f'mount -t tmpfs none {hidden} && cp {self.library} {hidden}/ && '
                  f'exec {PROGRAMS / "attach_caller"} {hidden}/libattach_target.so')
        caller = Caller(self, "", [unshare, "--mount", "sh", "-c", script])
        caller.do("load")
        self.assertEqual(list(hidden.iterdir()), [])
        daemon = self.daemon_for()
        daemon.load(MODULE)
        caller.do("call 100")
        self.assert_calls(daemon, {caller.pid: range(100)})

    def test_deleted_library(self):
        library = self.folder / "libattach_target.so"
        shutil.copy(self.library, library)
        caller = Caller(self, library).do("load")
        library.unlink()
        daemon = self.daemon_for()
        daemon.load(MODULE)
        caller.do("call 100")
        self.assert_calls(daemon, {caller.pid: range(100)})

    def test_code_that_the_kernel_does_not_probe(self):
        """A locked instruction cannot be run out of line: nothing of such a file is probed, and the module says so."""
        if os.uname().machine != "x86_64":
            self.skipTest("an instruction of x86-64")
        shown = subprocess.run([self.need("readelf"), "-sW", self.library], capture_output=True, text=True, check=True).stdout
        offset = next(int(line.split()[1], 16) for line in shown.splitlines() if line.endswith(" attach_target_work"))
        library = self.folder / "libattach_target.so"
        code = bytearray(self.library.read_bytes())
        code[offset:offset + 4] = b"\xf0\x48\xff\x00"  # lock incq (%rax)
        library.write_bytes(code)
        good, bad = Caller(self, self.library).do("load"), Caller(self, library).do("load")
        daemon = self.daemon_for()
        loaded = daemon.ctl("load", MODULE, "--wait", check=False)
        self.assertEqual(loaded.returncode, EXIT_DEGRADED, loaded.stderr)
        self.assertIn("[ATTACH_REFUSED]", loaded.stdout + loaded.stderr)
        self.assertEqual(daemon.counters()[SCOPE, "attach.refused.kernel"], 1)
        self.assertEqual(self.attach(daemon, "files"), 1)
        (module,) = [one for one in daemon.ctl_json("modules") if one["name"] == MODULE]
        (condition,) = module["status"]["conditions"]
        self.assertEqual((condition["type"], condition["reason"]), ("Degraded", "ATTACH_REFUSED"))
        self.assertIn(str(library), condition["message"])
        self.assertNotEqual(daemon.ctl("doctor", check=False).returncode, 0)
        good.do("call 100")
        found = daemon.wait_spans(200, settle=0.5)
        self.assertEqual(({span.resource["process.pid"] for span in found}, len(found)), ({good.pid}, 200))
        bad.do("unload")

    def test_file_no_longer_mapped_is_detached(self):
        daemon = self.daemon_for()
        objects = leaks.bpf_objects()
        daemon.load(MODULE)
        loaded = len(leaks.new_objects(objects))
        caller = Caller(self, self.library).do("load")
        self.wait_files(daemon, 1)
        caller.do("call 100").do("unload")
        self.wait_files(daemon, 0)
        self.assertEqual(self.attach(daemon, "detached"), 1)
        self.assertEqual(len(leaks.new_objects(objects)), loaded)
        caller.do("load")
        self.wait_files(daemon, 1)
        caller.do("call 50")
        self.assert_calls(daemon, {caller.pid: [*range(100), *range(50)]})

    def test_unload_leaves_nothing(self):
        caller = Caller(self, self.library).do("load")
        daemon = self.daemon_for()
        daemon.load(MODULE)
        daemon.ctl("unload", MODULE)
        objects, held = leaks.bpf_objects(), leaks.descriptors(daemon.pid)
        for _ in range(10):
            daemon.load(MODULE)
            caller.do("call 1000")
            daemon.ctl("unload", MODULE)
            caller.do("call 10")
        self.assertEqual(leaks.wait_no_new_objects(objects), [])
        left = {name: count for name, count in (leaks.descriptors(daemon.pid) - held).items() if "spans.jsonl" not in name}
        self.assertEqual(left, {})
        self.assertEqual(leaks.mapped_modules(daemon.pid), [])
        found = daemon.wait_spans(2 * 10 * 1000, seconds=30, settle=0.5, name="attach_target_work")
        self.assertEqual(len(found), 2 * 10 * 1000)

    def test_the_daemon_leaves_nothing_when_it_ends(self):
        objects = leaks.bpf_objects()
        caller = Caller(self, self.library).do("load")
        daemon = self.daemon_for()
        daemon.load(MODULE)
        caller.do("call 100")
        daemon.stop()
        self.assertEqual(leaks.wait_no_new_objects(objects), [])
        caller.do("call 100")


in_full = unittest.skipUnless(FULL, "PROBED_FULL=1 runs it: what it looks at comes before the links")


class AttachByPerfEvents(Attach):
    """The same with the links that kernels before 6.6 have."""

    uprobes = "perf"
    link_type = "perf_event"
    test_programs_that_are_no_targets_are_left_alone = in_full(Attach.test_programs_that_are_no_targets_are_left_alone)
    test_verdict_is_per_process_where_a_file_is_shared = in_full(
        Attach.test_verdict_is_per_process_where_a_file_is_shared)
    test_targets_added_later_are_probed = in_full(Attach.test_targets_added_later_are_probed)
    test_file_no_longer_mapped_is_detached = in_full(Attach.test_file_no_longer_mapped_is_detached)


if __name__ == "__main__":
    unittest.main()
