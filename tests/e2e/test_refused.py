# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""What the kernel refuses, and modules that fail while they run: said with a reason, and everything else goes on."""

import os
import shutil
import signal
import unittest

import leaks
import peers
from harness import BUILD_DIR, Daemon, LiveCase, wait_for
from spans import SERVER

FIXTURES = BUILD_DIR / "fixture_modules"
EXIT_CONFLICT, EXIT_DENIED = 4, 5
NO_RIGHT = "-bpf,-sys_admin,-perfmon"


def conditions(resource):
    return {one["type"]: one for one in resource.get("conditions", [])}


class Refused(LiveCase):
    def setUp(self):
        super().setUp()
        self.modules = os.path.join(os.path.expanduser("~"), f".probed-e2e-refused.{os.getpid()}")
        os.makedirs(self.modules, mode=0o755)
        self.addCleanup(shutil.rmtree, self.modules, ignore_errors=True)

    def put(self, *names):
        """Copies modules; those of tests may not be built."""
        shutil.copy(BUILD_DIR / "modules" / "http.so", self.modules)
        for name in names:
            if not (FIXTURES / f"{name}.so").exists():
                print(f"SKIPPED: {self.id()}: no {name}.so")
                self.skipTest("the fixture modules are not built")
            shutil.copy(FIXTURES / f"{name}.so", self.modules)
        return self.modules

    def status(self, daemon, name):
        return next(one["status"] for one in daemon.ctl_json("modules") if one["name"] == name)

    def ask(self, port, path):
        with peers.connect(port) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            peers.read_responses(connection, 1)


class Kernel(Refused):
    def test_a_program_that_the_verifier_refuses(self):
        daemon = self.start_daemon(module_dir=self.put("echo_refused"))
        objects = leaks.bpf_objects()
        done = daemon.ctl("load", "echo_refused", "--wait", check=False)
        self.assertIn("[BPF_REFUSED]", done.stderr)
        self.assertIn("echo_classify", done.stderr)
        self.assertRegex(done.stderr, r"(?s)verifier's log:\n.*invalid access to map value")
        self.assertIn(done.returncode, (EXIT_CONFLICT, EXIT_DENIED))
        self.assertEqual(conditions(self.status(daemon, "echo_refused"))["Failed"]["reason"], "BPF_REFUSED")
        self.assertEqual(leaks.wait_no_new_objects(objects), [])
        daemon.load("http")

    def test_backends_are_those_that_work(self):
        """`info` tells them before any of them is tried; each is then tried by a daemon of its own."""
        for backend in ("sock", "fexit"):
            with self.subTest(backend):
                daemon = Daemon(self.folder, daemon={"backend": backend})
                self.addCleanup(daemon.stop)
                info = daemon.start().ctl_json("info")
                platform = info["platform"]
                works = platform.get("backend", "") == backend
                self.assertEqual(backend in platform["backends_available"], works, platform)
                self.assertEqual(any(one.endswith(f"backend {backend}") for one in platform.get("missing_features", [])),
                                 not works, platform)
                loaded = daemon.ctl("load", "http", "--wait", check=False)
                self.assertEqual(loaded.returncode == 0, works, loaded.stderr)
                self.assertEqual("NotApplicable" in conditions(info), not works)
                daemon.stop()

    def test_without_the_right_to_load_programs(self):
        """The daemon answers and says why nothing can be captured."""
        daemon = Daemon(self.folder)
        command = daemon.command
        prefix = [self.need("setpriv"), f"--bounding-set={NO_RIGHT}", f"--inh-caps={NO_RIGHT}"]
        daemon.command = lambda path: [*prefix, *command(path)]
        self.addCleanup(daemon.stop)
        info = daemon.start().ctl_json("info")
        platform = info["platform"]
        self.assertEqual((platform.get("backend", ""), platform.get("backends_available", [])), ("", []))
        self.assertEqual(set(platform["capabilities"]) & {"CAP_BPF", "CAP_PERFMON", "CAP_SYS_ADMIN"}, set())
        missing = " ".join(platform["missing_features"])
        for backend in ("sock", "fexit"):
            self.assertIn(f"backend {backend}", missing)
        condition = conditions(info)["NotApplicable"]
        self.assertEqual(condition["reason"], "NO_BACKEND")
        self.assertIn("not permitted", condition["message"])
        done = daemon.ctl("load", "http", "--wait", check=False)
        self.assertEqual(done.returncode, EXIT_DENIED)
        self.assertIn("[BPF_REFUSED]", done.stderr)
        self.assertIn("probectl doctor", done.stderr)
        doctor = daemon.ctl("doctor", check=False)
        self.assertRegex(doctor.stdout, r"(?m)^backend +bad ")
        self.assertNotEqual(doctor.returncode, 0)


class WhileItRuns(Refused):
    def echo(self, port):
        with peers.connect(port) as connection:
            connection.sendall(b"ECHO this\r\n\r\n")
            while connection.recv(4096):
                pass

    def test_an_exception_quarantines_the_module_alone(self):
        nginx = peers.Nginx(self)
        daemon = self.run_daemon(nginx.port, exclude=[os.getpid()], module_dir=self.put("echo_faults"))
        daemon.load("echo_faults")
        self.ask(nginx.port, "/before")
        self.assertEqual(self.status(daemon, "echo_faults").get("conditions", []), [])
        self.echo(nginx.port)
        found = wait_for("the condition", lambda: conditions(self.status(daemon, "echo_faults")).get("Quarantined"))
        self.assertEqual(found["reason"], "EXCEPTION")
        self.assertIn("an exception left on_segment", found["message"])
        self.echo(nginx.port)
        self.ask(nginx.port, "/after")
        daemon.wait_spans(2, kind=SERVER)
        self.assertEqual([span.path for span in daemon.spans()], ["/before", "/after"])
        daemon.ctl("unload", "echo_faults")

    def test_a_crash_on_a_segment_is_the_modules(self):
        nginx = peers.Nginx(self)
        daemon = Daemon(self.folder, module_dir=self.put("echo_crash"), modules=[{"name": "http"}, {"name": "echo_crash"}],
                        targets=[{"name": "web", "ports": [nginx.port]}, {"name": "me", "pids": [os.getpid()], "exclude": True}])
        self.addCleanup(daemon.stop)
        daemon.start()
        wait_for("the module", lambda: self.status(daemon, "echo_crash")["phase"] == "running")
        process, daemon.process = daemon.process, None
        self.echo(nginx.port)
        self.assertEqual(process.wait(60), -signal.SIGSEGV, daemon.log())
        daemon.start()
        status = self.status(daemon, "echo_crash")
        self.assertEqual(conditions(status)["Quarantined"]["reason"], "CRASHED")
        self.assertIn("crashed the daemon in on_segment", conditions(status)["Quarantined"]["message"])
        self.assertEqual(conditions(status)["Failed"]["reason"], "MODULE_QUARANTINED")
        self.echo(nginx.port)
        self.ask(nginx.port, "/goes/on")
        daemon.wait_spans(1, path="/goes/on")


if __name__ == "__main__":
    unittest.main()
