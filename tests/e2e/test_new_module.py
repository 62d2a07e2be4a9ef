# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""A module made by copying api/template to a new folder, dropped into a running daemon, traces its protocol."""

import os
import shutil
import subprocess
import unittest

import peers
from harness import BUILD_DIR, SOURCE_DIR, LiveCase, free_port, wait_for
from spans import CLIENT, SERVER


class NewModule(LiveCase):
    def module_dir(self):
        """Modules are only taken from root-owned folders that nobody else can write to."""
        base = os.path.join(os.path.expanduser("~"), f".probed-new-module.{os.getpid()}")
        os.makedirs(base, mode=0o755)
        self.addCleanup(shutil.rmtree, base, ignore_errors=True)
        return base

    def build(self, path):
        """The build takes most of a minute; where the integration test of the same script has left what it made, behind
        the last change of a source, that is taken."""
        made = BUILD_DIR / "one_folder.so"
        listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=SOURCE_DIR,
                                capture_output=True, text=True).stdout
        sources = [SOURCE_DIR / name for name in listed.split("\0") if name]
        changed = [source.stat().st_mtime for source in sources if source.exists()]
        if made.exists() and changed and made.stat().st_mtime > max(changed):
            print(f"{self.id()}: {made}, made before")
            shutil.copy(made, f"{path}.new")
            os.rename(f"{path}.new", path)  # whole when the daemon sees it
            return
        built = subprocess.run([SOURCE_DIR / "tests" / "integration" / "one_folder_test.sh", BUILD_DIR, path],
                               capture_output=True, text=True, timeout=600)
        self.assertEqual(built.returncode, 0, built.stdout + built.stderr)

    def test_copy_build_drop_in_trace(self):
        modules = self.module_dir()
        port = free_port()
        peers.server(self, [peers.PYTHON, peers.SERVERS / "ping.py", port], port)
        daemon = self.start_daemon(module_dir=modules, targets=[{"name": "ping", "ports": [port]}])
        self.build(os.path.join(modules, "one_folder.so"))
        wait_for("the daemon to list it", lambda: "one_folder" in daemon.ctl("modules", "-o", "name").stdout)
        daemon.load("one_folder")
        with peers.connect(port) as connection:
            for word in ("one", "two", "bad"):
                connection.sendall(f"PING {word}\n".encode())
                connection.recv(100)
        daemon.wait_spans(6, settle=0.5, name="PING")
        for kind in (SERVER, CLIENT):
            found = daemon.spans(kind=kind)
            self.assertEqual([span.attributes["ping.word"] for span in found], ["one", "two", "bad"])
            self.assertEqual([bool(span.attributes.get("error.type")) for span in found], [False, False, True])
        daemon.ctl("unload", "one_folder")


if __name__ == "__main__":
    unittest.main()
