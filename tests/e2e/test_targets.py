# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""What the kernel picks: cgroups with what is below them, programs, pids, ports; and never the daemon, what it speaks to,
or its children."""

import contextlib
import json
import os
import pathlib
import time
import unittest
import urllib.request

import peers
from harness import Daemon, LiveCase, free_port, wait_for
from otlp_sink import HttpSink
from spans import CLIENT, SERVER

CHILD = """
import os, sys, time, urllib.request
while os.getppid() != 1:
    urllib.request.urlopen(sys.argv[1], timeout=10).read()
    time.sleep(0.1)
"""


def cgroup_mount():
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        return next((pathlib.Path(line.split()[1]) for line in mounts if line.split()[2] == "cgroup2"), None)


class Targets(LiveCase):
    def ask(self, port, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as response:
            response.read()

    def put_targets(self, daemon, targets):
        path = self.folder / "targets.json"
        path.write_text(json.dumps({"targets": targets}))
        daemon.ctl("targets", "put", "-f", path)

    def seen(self, daemon, servers, name):
        """Names of the servers that showed a request under these rules. The last one asked is always a target."""
        for server, (port, _) in servers.items():
            self.ask(port, f"/{name}/{server}")
        daemon.wait_spans(1, path=f"/{name}/{server}", settle=0.3)
        return {span.path.split("/")[2] for span in daemon.spans() if span.path.startswith(f"/{name}/")}


class CgroupCase(Targets):
    def setUp(self):
        super().setUp()
        self.mount = cgroup_mount()
        if self.mount is None:
            print(f"SKIPPED: {self.id()}: no cgroup2 is mounted")
            self.skipTest("no cgroup2 is mounted")
        self.top = f"probed-e2e-{os.getpid()}"

    def cgroup(self, path):
        """A cgroup of ours with those above it; emptied and removed at the end."""
        folder = self.mount
        for name in path.split("/"):
            folder = folder / name
            if not folder.exists():
                folder.mkdir()
                self.addCleanup(self.remove, folder)
        return folder

    def remove(self, folder):
        def removed():
            for pid in (folder / "cgroup.procs").read_text().split():
                with contextlib.suppress(OSError):
                    (self.mount / "cgroup.procs").write_text(pid)
            with contextlib.suppress(OSError):
                folder.rmdir()
            return not folder.exists()
        wait_for(f"{folder} to go", removed)


class Cgroups(CgroupCase):
    def test_a_cgroup_holds_what_is_below_it(self):
        name = self.top
        folders = [self.cgroup(path) for path in (name, f"{name}/web", f"{name}/web/inner", f"{name}/other")]
        servers = {role: peers.python_server(self) for role in ("outside", "other", "inner", "web")}
        for role, folder in (("web", folders[1]), ("inner", folders[2]), ("other", folders[3])):
            (folder / "cgroup.procs").write_text(str(servers[role][1].pid))
        mine = {"name": "mine", "cgroups": [f"/{name}"]}
        web = {"name": "web", "cgroups": [f"/{name}/web"]}
        inner = {"name": "inner", "cgroups": [f"/{name}/web/inner"]}
        daemon = self.start_daemon(targets=[web])
        daemon.load()
        self.assertEqual(self.seen(daemon, servers, "web"), {"web", "inner"})
        self.put_targets(daemon, [mine, {**inner, "exclude": True}])
        self.assertEqual(self.seen(daemon, servers, "not_inner"), {"web", "other"})
        self.put_targets(daemon, [{"name": "all"}, {"name": "me", "pids": [os.getpid()], "exclude": True},
                                  {**mine, "exclude": True}])
        self.assertEqual(self.seen(daemon, {**{role: servers[role] for role in ("web", "inner", "other")},
                                            "outside": servers["outside"]}, "not_mine"), {"outside"})
        # All that a rule names must hold.
        self.put_targets(daemon, [{**web, "ports": [servers["inner"][0]]}])
        self.assertEqual(self.seen(daemon, {role: servers[role] for role in ("web", "outside", "other", "inner")}, "both"),
                         {"inner"})


class Containers(CgroupCase):
    """container.id is in the name that a runtime gives a container's cgroup."""

    FORMS = {"docker": "docker/{}", "docker under systemd": "system.slice/docker-{}.scope",
             "containerd": "system.slice/containerd.service/kubepods-burstable-pod1.slice:cri-containerd:{}",
             "kubernetes": "kubepods.slice/kubepods-pod2.slice/cri-containerd-{}.scope",
             "podman": "machine.slice/libpod-{}.scope/container", "nested": f"docker/{'0' * 64}/docker/{{}}",
             "none": "system.slice/web.service", "conmon": f"machine.slice/libpod-conmon-{'1' * 64}.scope"}

    def server_in(self, form, container):
        """Is in its cgroup before it is the server, as a runtime does it."""
        folder = self.cgroup(f"{self.top}/{form.format(container)}")
        port = free_port()
        peers.server(self, ["/bin/sh", "-c", 'echo $$ > "$0" && exec "$@"', folder / "cgroup.procs", peers.PYTHON,
                            peers.SERVERS / "server.py", port], port)
        return port

    def test_the_id_is_that_of_the_innermost_container(self):
        ids = {name: f"{number:x}".rjust(64, "c") if "{}" in form else None
               for number, (name, form) in enumerate(self.FORMS.items())}
        names = list(self.FORMS)
        ports = {name: self.server_in(self.FORMS[name], ids[name]) for name in names[::2]}
        daemon = self.start_daemon(targets=[{"name": "all"}, {"name": "me", "pids": [os.getpid()], "exclude": True}])
        daemon.load()
        ports.update((name, self.server_in(self.FORMS[name], ids[name])) for name in names[1::2])
        for name, port in ports.items():
            self.ask(port, f"/{name.replace(' ', '_')}")
        daemon.wait_spans(len(ports), kind=SERVER)
        found = {span.path: span.resource.get("container.id") for span in daemon.spans(kind=SERVER)}
        self.assertEqual(found, {f"/{name.replace(' ', '_')}": container for name, container in ids.items()})


class Processes(Targets):
    def test_programs_pids_and_ports(self):
        servers = {"nginx": (peers.Nginx(self).port, None), "first": peers.python_server(self),
                   "second": peers.python_server(self)}
        first, second = servers["first"], servers["second"]
        mine = {"name": "me", "pids": [os.getpid()], "exclude": True}
        daemon = self.start_daemon(targets=[{"name": "pid", "pids": [second[1].pid]}])
        daemon.load()
        self.assertEqual(self.seen(daemon, servers, "pid"), {"second"})
        python = os.path.realpath(peers.PYTHON)
        self.put_targets(daemon, [mine, {"name": "python", "exe": [python]}])
        self.assertEqual(self.seen(daemon, servers, "exe"), {"first", "second"})
        self.put_targets(daemon, [mine, {"name": "python", "exe": [python], "ports": [second[0]]}])
        self.assertEqual(self.seen(daemon, servers, "exe_and_port"), {"second"})
        self.put_targets(daemon, [mine, {"name": "python", "exe": [os.path.dirname(python) + "/python*"]},
                                  {"name": "not", "exclude": True, "ports": [first[0]]}])
        self.assertEqual(self.seen(daemon, servers, "exclude"), {"second"})


class Self(Targets):
    def test_no_feedback_from_a_collector(self):
        """The sink's connection and the collector's end of it lie on a port that is a target, and both programs are."""
        port, _ = peers.python_server(self)
        sink = HttpSink()
        self.addCleanup(sink.stop)
        file = {"name": "file", "type": "file", "path": str(self.folder / "spans.jsonl")}
        collector = {"name": "collector", "type": "otlp_http", "endpoint": f"http://127.0.0.1:{sink.port}"}
        daemon = self.run_daemon(port, sink.port, sinks=[file, collector])
        for number in range(5):
            self.ask(port, f"/{number}")
            time.sleep(0.2)  # an export of its own for each
        daemon.wait_spans(10, settle=1.5)
        self.assertGreater(len(sink.script.requests), 1)
        self.assertEqual({span.path for span in daemon.spans()}, {f"/{number}" for number in range(5)})
        self.assertEqual(len(daemon.spans()), 10)
        self.assertEqual(sorted(id.hex() for id in sink.script.delivered), sorted(span.span_id for span in daemon.spans()))
        # Nobody else's connection to that port is left out.
        self.assertEqual(urllib.request.urlopen(f"http://127.0.0.1:{sink.port}/v1/other", data=b"x", timeout=10).status, 200)
        daemon.wait_spans(2, path="/v1/other")

    def test_children_are_not_traced(self):
        port, _ = peers.python_server(self)
        daemon = Daemon(self.folder, targets=[{"name": "server", "ports": [port]}])
        command = daemon.command
        # The shell becomes the daemon, and what it started before is the daemon's child.
        daemon.command = lambda path: ["/bin/sh", "-c", '"$0" -c "$1" "$2" & shift 2; exec "$@"', peers.PYTHON, CHILD,
                                       f"http://127.0.0.1:{port}/child", *command(path)]
        self.addCleanup(daemon.stop)
        daemon.start().load()
        daemon.wait_spans(5, path="/child", kind=SERVER)
        self.ask(port, "/mine")
        daemon.wait_spans(2, path="/mine", settle=0.5)
        self.assertEqual(daemon.spans(path="/child", kind=CLIENT), [])
        self.assertEqual(len(daemon.spans(path="/mine", kind=CLIENT)), 1)


if __name__ == "__main__":
    unittest.main()
