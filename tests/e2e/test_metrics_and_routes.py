# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""What comes out of a daemon: request metrics at an OTLP receiver, spans where the routes say, also after a restart."""

import collections
import json
import os
import time
import unittest
import urllib.error
import urllib.request

import otlp_metrics
import peers
from harness import LiveCase, free_port, wait_for
from otlp_sink import HttpSink
from spans import SERVER, SpanFile

BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]  # of the semantic conventions
REQUESTS = (("GET", "/bytes/500", None, 200, 30), ("GET", "/status/404", None, 404, 5), ("GET", "/status/503", None, 503, 3),
            ("POST", "/posted", b"x" * 1000, 200, 4))


def ask(port, path, method="GET", body=None):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=body, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            response.read()
    except urllib.error.HTTPError as refused:
        with refused:
            refused.read()


class Metrics(LiveCase):
    def setUp(self):
        super().setUp()
        self.kind = otlp_metrics.request_type()
        if self.kind is None:
            print(f"SKIPPED: {self.id()}: no protoc or no opentelemetry-proto")
            self.skipTest("no protoc or no opentelemetry-proto")

    def receiver(self):
        sink = HttpSink()
        self.addCleanup(sink.stop)
        return sink

    def points(self, sink):
        return [point for body in list(sink.script.metrics) for point in otlp_metrics.histograms(body, self.kind)]

    def total(self, sink, name):
        """(count, sum) by method and status: the last of a cumulative series, all of a delta one."""
        series = collections.defaultdict(lambda: (0, 0.0))
        for point in self.points(sink):
            if point.name != name:
                continue
            key = (point.attributes["http.request.method"], point.attributes["http.response.status_code"])
            before = (0, 0.0) if point.cumulative else series[key]
            series[key] = (before[0] + point.count, before[1] + point.sum)
        return dict(series)

    def test_requests_are_counted_and_timed(self):
        port, _ = peers.python_server(self, env={**os.environ, "OTEL_SERVICE_NAME": "measured"})
        sums, deltas = self.receiver(), self.receiver()
        sinks = [{"name": name, "type": "otlp_http", "endpoint": f"http://127.0.0.1:{sink.port}", "temporality": name}
                 for name, sink in (("cumulative", sums), ("delta", deltas))]
        daemon = self.run_daemon(port, sinks=sinks, daemon={"metric_interval": "1s"})
        began = time.monotonic()
        for method, path, body, _, count in REQUESTS:
            for _ in range(count):
                ask(port, path, method, body)
            time.sleep(0.7)  # over several intervals
        seconds = time.monotonic() - began
        expected = {(method, status): count for method, _, _, status, count in REQUESTS}
        expected["GET", 200] = 30
        for sink in (sums, deltas):
            for end in ("server", "client"):
                name = f"http.{end}.request.duration"
                wait_for(f"all of {name}", lambda: {key: count for key, (count, _) in self.total(sink, name).items()} == expected)
                self.assertLess(sum(spent for _, spent in self.total(sink, name).values()), seconds)
                self.assertGreater(min(spent for _, spent in self.total(sink, name).values()), 0)
                self.assertEqual(self.total(sink, f"http.{end}.request.body.size"), {("POST", 200): (4, 4000.0)})
                answered = self.total(sink, f"http.{end}.response.body.size")
                self.assertEqual(answered["GET", 200], (30, 30 * 500.0))
                self.assertEqual(answered["GET", 503], (3, 3 * 6.0))
        for sink, cumulative in ((sums, True), (deltas, False)):
            for point in self.points(sink):
                if point.name.startswith("http."):
                    self.check_point(point, cumulative, port)
        daemon.ctl("modules")

    def check_point(self, point, cumulative, port):
        self.assertEqual(point.cumulative, cumulative)
        self.assertEqual(sum(point.buckets), point.count)
        said = point.attributes
        self.assertEqual(said["network.protocol.version"], "1.1")
        self.assertEqual(said.get("error.type"), self.error_of(point))
        if point.name.endswith(".duration"):
            self.assertEqual((point.unit, point.bounds), ("s", BOUNDS))
        else:
            self.assertEqual(point.unit, "By")
        if point.name.startswith("http.server."):
            self.assertEqual(said["url.scheme"], "http")
            self.assertEqual(point.resource["service.name"], "measured")
            self.assertNotIn("url.path", said)  # as many series as there are paths
        else:
            self.assertEqual((said["server.address"], said["server.port"]), ("127.0.0.1", port))

    def error_of(self, point):
        status = point.attributes["http.response.status_code"]
        return str(status) if status >= (500 if point.name.startswith("http.server.") else 400) else None


class Routes(LiveCase):
    def setUp(self):
        super().setUp()
        self.ports = {name: peers.python_server(self, env={**os.environ, "OTEL_SERVICE_NAME": name})[0]
                      for name in ("shop", "stock")}
        self.files = {name: SpanFile(self.folder / f"{name}.jsonl") for name in ("one", "two", "three")}

    def sink(self, name):
        return {"name": name, "type": "file", "path": str(self.files[name].path)}

    def put(self, what, items):
        path = self.folder / f"{what}.json"
        path.write_text(json.dumps({what: items}))
        return self.daemon.ctl(what, "put", "-f", path, check=False)

    def assert_seen(self, name, expected):
        """Asks both servers; where the SERVER and CLIENT spans of these requests arrive, by file."""
        for server, port in self.ports.items():
            ask(port, f"/{name}/{server}")

        def seen():
            return {file: sorted((span.resource["service.name"] if span.kind == SERVER else "client", span.path.split("/")[2])
                                 for span in spans.read() if span.path.startswith(f"/{name}/"))
                    for file, spans in self.files.items()}
        wait_for(f"{expected}", lambda: {file: spans for file, spans in seen().items() if spans} == expected)
        time.sleep(0.3)
        self.assertEqual({file: spans for file, spans in seen().items() if spans}, expected)

    def test_changed_while_it_runs_and_kept_over_a_restart(self):
        self.daemon = self.run_daemon(*self.ports.values(), sinks=[self.sink("one"), self.sink("two")])
        everything = [("client", "shop"), ("client", "stock"), ("shop", "shop"), ("stock", "stock")]
        self.assert_seen("unrouted", {"one": everything, "two": everything})
        drop = {"name": "no_clients", "modules": ["http"], "signals": ["traces"], "kinds": ["client"], "drop": True}
        shop = {"name": "shop", "services": ["shop"], "sinks": ["one"]}
        rest = {"name": "rest", "sinks": ["two"]}
        self.assertEqual(self.put("routes", [drop, shop, rest]).returncode, 0)
        self.assert_seen("routed", {"one": [("shop", "shop")], "two": [("stock", "stock")]})
        # A sink more, and a route to both.
        refused = self.put("routes", [{"name": "rest", "sinks": ["three"]}])
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("three", refused.stderr)
        self.assertEqual(self.put("sinks", [self.sink("three")]).returncode, 0)
        self.assertEqual(self.put("routes", [drop, {**shop, "sinks": ["one", "three"]}, rest]).returncode, 0)
        both = {"one": [("shop", "shop")], "three": [("shop", "shop")], "two": [("stock", "stock")]}
        self.assert_seen("both", both)
        kept = [self.daemon.ctl(what, "get", "-o", "yaml").stdout for what in ("routes", "targets")]
        self.daemon.stop()
        self.daemon.start()
        self.assertEqual([self.daemon.ctl(what, "get", "-o", "yaml").stdout for what in ("routes", "targets")], kept)
        self.assertEqual(sorted(one["name"] for one in self.daemon.ctl_json("sinks")["sinks"]), ["one", "three", "two"])
        wait_for("http to run", lambda: ("http", "running") in [(one["name"], one["status"]["phase"])
                                                                for one in self.daemon.ctl_json("modules")])
        self.assert_seen("restarted", both)

    def test_sinks_are_tested_and_deleted(self):
        self.daemon = self.run_daemon(*self.ports.values(), sinks=[self.sink("one")])
        receiver = HttpSink()
        self.addCleanup(receiver.stop)
        alive = {"name": "alive", "type": "otlp_http", "endpoint": f"http://127.0.0.1:{receiver.port}"}
        dead = {"name": "dead", "type": "otlp_http", "endpoint": f"http://127.0.0.1:{free_port()}"}
        self.assertEqual(self.put("sinks", [alive, dead]).returncode, 0)
        self.assertEqual(self.daemon.ctl("sinks", "test", "alive").returncode, 0)
        refused = self.daemon.ctl("sinks", "test", "dead", check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("refused", (refused.stdout + refused.stderr).lower())
        self.assertEqual(self.put("routes", [{"name": "all", "sinks": ["one", "alive"]}]).returncode, 0)
        self.assertNotEqual(self.daemon.ctl("sinks", "delete", "alive", check=False).returncode, 0)  # a route names it
        self.assertEqual(self.put("routes", [{"name": "all", "sinks": ["one"]}]).returncode, 0)
        for name in ("alive", "dead"):
            self.daemon.ctl("sinks", "delete", name)
        self.assertEqual([one["name"] for one in self.daemon.ctl_json("sinks")["sinks"]], ["one"])
        self.assertNotEqual(self.daemon.ctl("sinks", "test", "alive", check=False).returncode, 0)
        ask(self.ports["shop"], "/after")
        wait_for("the span", lambda: any(span.path == "/after" for span in self.files["one"].read()))
        self.assertEqual(receiver.script.delivered, [])


if __name__ == "__main__":
    unittest.main()
