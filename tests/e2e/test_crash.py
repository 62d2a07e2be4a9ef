# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""A module that crashes the daemon is named, stays out of the next run, and everything else runs."""

import os
import shutil
import signal
import unittest

from harness import BUILD_DIR, Daemon, LiveCase, wait_for

CRASHING = BUILD_DIR / "fixture_modules" / "echo_boom.so"


class Crash(LiveCase):
    def setUp(self):
        super().setUp()
        if not CRASHING.exists():
            print(f"SKIPPED: {self.id()}: no {CRASHING}")
            self.skipTest("the fixture modules are not built")
        self.modules = os.path.join(os.path.expanduser("~"), f".probed-e2e-crash.{os.getpid()}")
        os.makedirs(self.modules, mode=0o755)
        self.addCleanup(shutil.rmtree, self.modules, ignore_errors=True)
        for path in (CRASHING, BUILD_DIR / "modules" / "http.so"):
            shutil.copy(path, self.modules)
        self.daemon = Daemon(self.folder, module_dir=self.modules, modules=[{"name": "http"}, {"name": "echo_boom"}],
                             targets=[{"name": "none", "pids": [os.getpid()]}])
        self.addCleanup(self.daemon.stop)

    def run_until_crash(self):
        self.assertEqual(self.daemon.launch().wait(60), -signal.SIGABRT, self.daemon.log())

    def assert_held(self):
        self.daemon.start()
        modules = {module["name"]: module for module in self.daemon.ctl_json("modules")}
        self.assertEqual(modules["http"]["status"]["phase"], "running")
        conditions = {condition["type"]: condition for condition in modules["echo_boom"]["status"]["conditions"]}
        self.assertEqual(conditions["Quarantined"]["reason"], "CRASHED", conditions)
        self.assertIn("crashed the daemon in load", conditions["Quarantined"]["message"])

    def test_module_is_quarantined_until_a_user_clears_it(self):
        self.run_until_crash()
        self.assert_held()
        self.daemon.stop()
        self.run_until_crash()  # tried once more after a run without it
        for _ in range(2):  # two in a row: held for good
            self.assert_held()
            self.daemon.stop()
        self.assert_held()
        process, self.daemon.process = self.daemon.process, None
        self.assertNotEqual(self.daemon.ctl("load", "echo_boom", check=False).returncode, 0)
        wait_for("the end of the daemon", lambda: process.poll() is not None)
        self.assertEqual(process.returncode, -signal.SIGABRT, self.daemon.log())


if __name__ == "__main__":
    unittest.main()
