# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""Runs the daemon under test: where it is built, how it starts, how it is asked. Knows nothing of HTTP.

PROBED_BUILD_DIR names the build folder (bin/probed, bin/probectl, modules/). Every test case has a temporary folder of
its own; ports are free ones; every process started here is ended by its pid.
"""

import atexit
import contextlib
import functools
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from spans import SpanFile

SOURCE_DIR = pathlib.Path(__file__).resolve().parents[2]
BUILD_DIR = pathlib.Path(os.environ.get("PROBED_BUILD_DIR", SOURCE_DIR / "build" / "dev"))
LOSSES = {"ring_full", "fault", "recursion_misses", "notices_full", "sequence_gaps", "doubled", "streams_evicted",
          "evicted.memory", "undecodable.malformed", "undecodable.gap", "undecodable.truncated", "aborted.gap"}
FULL = os.environ.get("PROBED_FULL") == "1"


def missing_precondition():
    """Why nothing can be captured here, or None."""
    if os.geteuid() != 0:
        return "needs root"
    if not os.access("/sys/kernel/btf/vmlinux", os.R_OK):
        return "the running kernel has no BTF"
    if not (BUILD_DIR / "bin" / "probed").exists():
        return f"no bin/probed in {BUILD_DIR}"
    return None


def wait_for(what, condition, seconds=60.0, step=0.05):
    """Polls until `condition()` is truthy and returns its value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(step)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def strangers():
    """A rule that leaves out all processes but this one and those that came of it: what others on the machine do (their
    TLS in the same library, their lookups) would be counted with what is tested. It holds for those that live now."""
    parents = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            with open(f"/proc/{name}/stat", "rb") as stat:
                parents[int(name)] = int(stat.read().rpartition(b")")[2].split()[1])
    ours, others = {os.getpid()}, []
    for pid in parents:
        line = [pid]
        while line[-1] and line[-1] not in ours:
            line.append(parents.get(line[-1], 0))
        if line[-1]:
            ours.update(line)
        else:
            others.append(pid)
    return {"name": "strangers", "exclude": True, "pids": others}


@functools.cache
def shared(server_type):
    """The one server of a type for all classes of a file, for those whose start takes longer than many a test."""
    server = server_type()
    atexit.register(server.stop)
    return server


def folder_of_file(prefix):
    """A temporary folder that stays until the tests of the file are over."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix=prefix))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def accepts(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def end(process, seconds=30):
    """Ends a process we started and returns its exit code."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"{process.args[0]} did not end within {seconds} s of SIGTERM") from None
    return process.returncode


class Daemon:
    """One probed with a file sink. `targets`, `sinks`, `routes`, `modules` and `daemon` are parts of its file."""

    def __init__(self, folder, *, targets=(), sinks=None, routes=(), modules=(), daemon=None, module_dir=None):
        self.folder = pathlib.Path(folder)
        self.socket = self.folder / "probed.sock"
        self.span_path = self.folder / "spans.jsonl"
        self.log_path = self.folder / "probed.log"
        self.module_dir = pathlib.Path(module_dir or BUILD_DIR / "modules")
        if sinks is None:
            sinks = [{"name": "file", "type": "file", "path": str(self.span_path), "rotate_bytes": "100GiB"}]
        self.config = {
            "daemon": {"http_listen": "", "batch_delay": "50ms", "metric_interval": "1h", **(daemon or {})},
            "modules": list(modules),
            "targets": list(targets),
            "routes": list(routes),
            "sinks": list(sinks),
        }
        self.process = None
        self.span_file = SpanFile(self.span_path)

    # --- life ---

    def command(self, config_path):
        return [str(BUILD_DIR / "bin" / "probed"), "--config", str(config_path), "--socket", str(self.socket),
                "--module-dir", str(self.module_dir), "--state-dir", str(self.folder / "state")]

    @property
    def probectl(self):
        return [str(BUILD_DIR / "bin" / "probectl"), "--socket", str(self.socket)]

    def launch(self):
        """Starts the process and waits for nothing."""
        config_path = self.folder / "probed.yaml"
        config_path.write_text(json.dumps({key: value for key, value in self.config.items() if value}))
        log = open(self.log_path, "ab")
        process = subprocess.Popen(self.command(config_path), stdout=log, stderr=log)
        log.close()
        return process

    def start(self):
        self.process = self.launch()
        wait_for("an answer of the daemon", self._answers)
        return self

    def _answers(self):
        if self.process.poll() is not None:
            raise AssertionError(f"probed ended with {self.process.returncode}:\n{self.log()}")
        return self.socket.exists() and self.ctl("modules", check=False).returncode == 0

    def stop(self):
        """Ends the daemon; it must end cleanly."""
        if self.process is None:
            return
        code = end(self.process)
        self.process = None
        if code != 0:
            raise AssertionError(f"probed ended with {code}:\n{self.log()}")

    def log(self):
        return self.log_path.read_text(errors="replace")[-8000:] if self.log_path.exists() else ""

    @property
    def pid(self):
        return self.process.pid

    @contextlib.contextmanager
    def held(self):
        """The daemon does not run meanwhile: what its ring does not take is lost."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    # --- asking ---

    def ctl(self, *arguments, check=True, timeout=60):
        done = subprocess.run([*self.probectl, *map(str, arguments)], capture_output=True, text=True, timeout=timeout)
        if check and done.returncode != 0:
            words = " ".join(map(str, arguments))
            raise AssertionError(f"probectl {words}: exit {done.returncode}\n{done.stderr or done.stdout}\n{self.log()}")
        return done

    def ctl_json(self, *arguments):
        return json.loads(self.ctl(*arguments, "-o", "json").stdout)

    def load(self, name="http", *arguments):
        return self.ctl("load", name, "--wait", *arguments)

    def counters(self):
        """{(scope, counter): value} of the ledger, read at its barrier."""
        ledger = self.ctl_json("ledger")
        return {(line["scope"], name): int(value) for line in ledger["lines"]
                for name, value in line.get("counters", {}).items()}

    def losses(self):
        """Everything the ledger counts as lost, doubled or not understood, by (scope, counter)."""
        return {key: value for key, value in self.counters().items() if value and key[1] in LOSSES}

    # --- spans ---

    def spans(self, **criteria):
        return [span for span in self.span_file.read() if span.matches(criteria)]

    def wait_spans(self, count, seconds=60.0, settle=0.0, **criteria):
        """At least `count` spans; with `settle` looks once more, so that surplus ones show: when all that is in the
        rings was read, and half of that time later, for they are sent in batches."""
        try:
            wait_for(f"{count} spans with {criteria}", lambda: len(self.spans(**criteria)) >= count, seconds, 0.1)
        except AssertionError as late:
            found = self.spans()
            count = len(self.spans(**criteria))
            raise AssertionError(f"{late}; found {count} of all {len(found)}, the last: {found[-3:]}\n"
                                 f"{self.counters()}\n{self.log()}") from None
        if settle:
            self.counters()
            time.sleep(settle / 2)
        return self.spans(**criteria)

    def wait_quiet(self, quiet=1.0, seconds=120.0, **criteria):
        """The spans when all that is in the rings was read and none has come for that long: where nobody knows how
        many there will be."""
        self.counters()
        deadline = time.monotonic() + seconds
        count, since = len(self.spans(**criteria)), time.monotonic()
        while time.monotonic() - since < quiet:
            if time.monotonic() > deadline:
                raise AssertionError(f"spans still come after {seconds} s")
            time.sleep(0.1)
            found = len(self.spans(**criteria))
            if found != count:
                count, since = found, time.monotonic()
        return self.spans(**criteria)


class LiveCase(unittest.TestCase):
    """A test with a temporary folder and helpers that clean up in reverse order."""

    @classmethod
    def setUpClass(cls):
        reason = missing_precondition()
        if reason:
            print(f"SKIPPED: {cls.__name__}: {reason}")
            raise unittest.SkipTest(reason)

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="probed-e2e."))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def need(self, program):
        path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/go/bin")
        if path is None:
            print(f"SKIPPED: {self.id()}: {program} is not installed")
            self.skipTest(f"{program} is not installed")
        return path

    def start_daemon(self, **options):
        daemon = Daemon(self.folder, **options)
        self.addCleanup(daemon.stop)
        return daemon.start()

    def run_daemon(self, *ports, exclude=(), **options):
        """A daemon with http loaded that looks at these ports only, and not at the programs or pids in `exclude`."""
        targets = [{"name": "under_test", "ports": list(ports)}]
        pids = [one for one in exclude if isinstance(one, int)]
        programs = [os.path.realpath(one) for one in exclude if not isinstance(one, int)]
        if pids:
            targets.append({"name": "not_pids", "exclude": True, "pids": pids})
        if programs:
            targets.append({"name": "not_programs", "exclude": True, "exe": programs})
        daemon = self.start_daemon(targets=targets, **options)
        daemon.load()
        return daemon

    def spawn(self, command, **options):
        log = open(self.folder / f"{os.path.basename(command[0])}.log", "ab")
        process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=log, stderr=log, **options)
        log.close()
        self.addCleanup(end, process)
        return process

    def keep_mapped(self, command, library):
        """Runs a program to the end of the test that has a library mapped, so that a daemon which starts now probes its
        file at once: else the probes come some milliseconds after the start of the first program that has it."""
        process = self.spawn(command)

        def mapped():
            self.assertIsNone(process.poll(), f"{command[0]} has ended")
            with open(f"/proc/{process.pid}/maps", encoding="utf-8", errors="replace") as maps:
                return library in maps.read()
        wait_for(f"{command[0]} to map {library}", mapped)
        return process
