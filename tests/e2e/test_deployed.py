# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""As it is installed: with the unit's capabilities and no other, with the packaged configuration, told to and by systemd;
what its own pages say; that its end loses nothing; the Python example."""

import os
import re
import shutil
import socket
import subprocess
import threading
import time
import unittest
import urllib.request

import peers
from harness import SOURCE_DIR, Daemon, LiveCase, accepts, free_port, wait_for
from spans import SERVER

DEPLOY = SOURCE_DIR / "deploy"
NOBODY = 65534


def ask(port, path="/asked"):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as response:
        return response.read().decode()


class Deployed(LiveCase):
    def daemon(self, prefix=(), arguments=None, **options):
        """A daemon behind a prefix of its command line; `arguments(config path)` are those of probed itself."""
        daemon = Daemon(self.folder, **options)
        usual = daemon.command
        daemon.command = lambda path: [*prefix, *(arguments(usual(path)) if arguments else usual(path))]
        self.addCleanup(daemon.stop)
        return daemon

    def phases(self, daemon):
        return {module["name"]: module.get("status", {}).get("phase", "") for module in daemon.ctl_json("modules")}


class Unit(Deployed):
    def test_the_capabilities_of_the_unit_are_enough(self):
        """setpriv gives up what the unit's CapabilityBoundingSet does not name. Traced is a program of somebody else."""
        setpriv = self.need("setpriv")
        unit = (DEPLOY / "probed.service.in").read_text()
        names = re.search(r"(?m)^CapabilityBoundingSet=(.*)$", unit)[1].split()
        bounding = ",".join(["-all", *(f"+{name.removeprefix('CAP_').lower()}" for name in names)])
        server = self.folder / "server.py"
        shutil.copy(peers.SERVERS / "server.py", server)
        self.folder.chmod(0o755)
        port = free_port()
        other = self.spawn([setpriv, f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", peers.PYTHON, server, port],
                           env={"PATH": os.environ["PATH"], "OTEL_SERVICE_NAME": "of_nobody"})
        wait_for("the server", lambda: accepts(port))
        daemon = self.daemon([setpriv, f"--bounding-set={bounding}", "--inh-caps=-all", "--no-new-privs"],
                             targets=[{"name": "t", "ports": [port]}])
        daemon.start()
        platform = daemon.ctl_json("info")["platform"]
        held = set(platform["capabilities"])  # root need not have all of them, as in a container
        self.assertLessEqual(held, set(names))
        self.assertLessEqual({"CAP_BPF", "CAP_PERFMON", "CAP_SYS_PTRACE"}, held)
        self.assertIn(platform["backend"], platform["backends_available"])
        for module in ("http", "dns", "grpc", "kafka", "sql", "tls"):
            daemon.load(module)
        self.assertEqual(set(self.phases(daemon).values()), {"running"})
        ask(port)
        (span,) = daemon.wait_spans(1, kind=SERVER)
        self.assertEqual(span.resource["process.pid"], other.pid)
        self.assertEqual(span.resource["service.name"], "of_nobody")
        self.assertEqual(os.path.realpath(span.resource["process.executable.path"]), os.path.realpath(peers.PYTHON))
        self.assertEqual(daemon.losses(), {})


class PackagedConfiguration(Deployed):
    def start_with(self, text):
        path = self.folder / "packaged.yaml"
        path.write_text(text)

        def arguments(usual):
            return [str(path) if before == "--config" else one for before, one in zip(["", *usual], usual)]
        return self.daemon(arguments=arguments).start()

    def test_starts_with_nothing_loaded_and_shows_its_pages(self):
        port = free_port()
        text = (DEPLOY / "probed.yaml").read_text()
        self.assertIn("127.0.0.1:8888", text)
        daemon = self.start_with(text.replace("127.0.0.1:8888", f"127.0.0.1:{port}"))
        self.assertIn("http", self.phases(daemon))
        self.assertNotIn("running", self.phases(daemon).values())
        self.assertEqual(daemon.ctl_json("sinks").get("sinks", []), [])
        self.assertTrue(ask(port, "/healthz"))  # any other status than 200 raises
        metrics = ask(port, "/metrics")
        calls = re.findall(r'(?m)^probed_bpf_hook_calls\w*\{end="(\w+)".*\} (\d+)', metrics)
        self.assertIn("submitted", dict(calls), metrics[:2000])

    def test_what_is_commented_out_is_right(self):
        text = re.sub(r"(?m)^# ?(?=(modules|targets|sinks|routes|  ))", "", (DEPLOY / "probed.yaml").read_text())
        for key in ("modules:", "targets:", "sinks:", "routes:"):
            self.assertRegex(text, f"(?m)^{key}")
        daemon = self.start_with(text.replace("127.0.0.1:8888", f"127.0.0.1:{free_port()}"))
        wait_for("http", lambda: self.phases(daemon).get("http") == "running")
        self.assertEqual([one["name"] for one in daemon.ctl_json("sinks")["sinks"]], ["collector"])
        self.assertIn("shop-frontend", daemon.ctl("targets", "get", "-o", "yaml").stdout)


class Life(Deployed):
    def test_first_two_commands_without_any_configuration(self):
        if os.path.exists("/etc/probed/probed.yaml"):
            self.skipTest("this machine has a configuration")
        port, _ = peers.python_server(self)
        daemon = self.daemon(arguments=lambda usual: [usual[0], *usual[3:]]).start()
        self.assertEqual(daemon.ctl_json("sinks").get("sinks", []), [])
        daemon.ctl("load", "http", "--wait")
        tail = subprocess.Popen([*daemon.probectl, "tail", "-o", "json"], stdout=subprocess.PIPE, text=True)
        self.addCleanup(tail.stdout.close)
        self.addCleanup(tail.wait)
        self.addCleanup(tail.kill)
        found = threading.Event()
        threading.Thread(target=lambda: any("/first" in line and found.set() is None for line in tail.stdout), daemon=True).start()

        def asked():
            ask(port, "/first")
            return found.wait(0.2)
        wait_for("the span", asked)

    def test_tells_systemd(self):
        """READY when it can be asked, STOPPING when it goes."""
        path = str(self.folder / "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(path)
            notify.settimeout(20)
            daemon = self.daemon([shutil.which("env"), f"NOTIFY_SOCKET={path}"])
            daemon.process = daemon.launch()
            self.assertIn(b"READY=1", notify.recv(4096).split(b"\n"))
            daemon.ctl("modules")  # at once
            daemon.stop()
            self.assertIn(b"STOPPING=1", notify.recv(4096).split(b"\n"))

    def test_its_end_sends_what_waits(self):
        port, _ = peers.python_server(self)
        daemon = self.run_daemon(port, exclude=[os.getpid()], daemon={"batch_delay": "1m"})
        for number in range(20):
            ask(port, f"/{number}")
        time.sleep(0.5)
        self.assertEqual(daemon.spans(), [])
        daemon.stop()
        self.assertEqual(sorted(span.path for span in daemon.spans()), sorted(f"/{number}" for number in range(20)))

    def test_reflection_names_the_services(self):
        import grpc

        daemon = self.daemon().start()
        with grpc.insecure_channel(f"unix:{daemon.socket}", options=[("grpc.default_authority", "localhost")]) as channel:
            call = channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
            answer = next(call(iter([b"\x3a\x00"]), timeout=10))  # list_services
        for service in (b"probed.v1.", b"grpc.health.v1.Health"):
            self.assertIn(service, answer)


class PythonExample(Deployed):
    def test_against_a_daemon(self):
        for program in ("protoc", "grpc_python_plugin"):
            self.need(program)
        port, _ = peers.python_server(self)
        daemon = self.daemon(targets=[{"name": "t", "ports": [port]}, {"name": "me", "pids": [os.getpid()], "exclude": True}])
        daemon.start()
        script = SOURCE_DIR / "clients" / "examples" / "python" / "trace_http.py"
        example = subprocess.Popen([peers.PYTHON, str(script), "--socket", str(daemon.socket), "--spans", "3"],
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.addCleanup(example.kill)
        while example.poll() is None:
            ask(port)
            ask(port, "/healthz")  # which the example's configuration leaves out
            time.sleep(0.1)
        said = example.communicate(timeout=30)[0]
        self.assertEqual(example.returncode, 0, said)
        self.assertEqual(len(re.findall(r"(?m)^span: .* GET ", said)), 3, said)
        self.assertRegex(said, r"configured: generation 1 -> 2, lost 0, doubled 0")
        self.assertRegex(said, r"(?m)^unloaded http$")


if __name__ == "__main__":
    unittest.main()
