# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""Receivers that refuse, hang, push back or break: what they accept in the end is every span, once."""

import os
import time
import unittest
import urllib.request

import peers
from harness import LiveCase, free_port, wait_for
from otlp_sink import GrpcSink, HttpSink

TIMEOUT = "2s"  # less than any receiver hangs, more than a busy machine takes to answer
RETRY = {"initial_interval": "200ms", "max_interval": "1s", "max_elapsed": "60s"}
REQUESTS = 20


class Sinks(LiveCase):
    def setUp(self):
        super().setUp()
        self.server_port, _ = peers.python_server(self)

    def http_sink(self, *steps, port=0):
        sink = HttpSink(steps, port)
        self.addCleanup(sink.stop)
        return sink

    def grpc_sink(self, *steps):
        sink = GrpcSink(steps)
        self.addCleanup(sink.stop)
        return sink

    def daemon_to(self, port, kind="otlp_http", **more):
        endpoint = f"http://127.0.0.1:{port}" if kind == "otlp_http" else f"127.0.0.1:{port}"
        sink = {"name": "collector", "type": kind, "endpoint": endpoint, "timeout": TIMEOUT, "retry": RETRY, **more}
        return self.run_daemon(self.server_port, exclude=[os.getpid()], sinks=[sink])

    def ask(self, count=REQUESTS):
        for number in range(count):
            with urllib.request.urlopen(f"http://127.0.0.1:{self.server_port}/{number}", timeout=10) as response:
                response.read()

    def assert_delivered(self, sink, count=REQUESTS):
        wait_for(f"{count} delivered spans", lambda: len(set(sink.script.delivered)) >= count)
        time.sleep(0.5)
        self.assertEqual(len(sink.script.delivered), count)
        self.assertEqual(len(set(sink.script.delivered)), count)

    def sink_status(self, daemon):
        (sink,) = [one for one in daemon.ctl_json("sinks")["sinks"] if one["name"] == "collector"]
        return sink["status"]

    def check_http(self, *steps):
        sink = self.http_sink(*steps)
        daemon = self.daemon_to(sink.port)
        self.ask()
        self.assert_delivered(sink)
        daemon.ctl("modules")
        return sink, daemon

    def test_http_accepts(self):
        sink, _ = self.check_http()
        headers = {key.lower(): value for key, value in sink.script.requests[0][3].items()}
        self.assertEqual(headers["content-type"], "application/x-protobuf")

    def test_http_503_with_retry_after_waits_as_told(self):
        sink, _ = self.check_http(("status", 503, {"Retry-After": "2"}))
        (first, second) = sink.script.requests[:2]
        self.assertEqual(first[1], "status")
        self.assertGreaterEqual(second[0] - first[0], 1.9)

    def test_http_502_and_429_are_retried(self):
        self.check_http(("status", 502), ("status", 429), ("status", 504))

    def test_http_400_is_not_retried_and_is_counted(self):
        sink = self.http_sink(("status", 400))
        daemon = self.daemon_to(sink.port)
        self.ask(1)
        wait_for("the first batch", lambda: sink.script.requests)
        wait_for("a rejection", lambda: self.sink_status(daemon)["rejected_items"] == 1)
        self.ask(1)
        self.assert_delivered(sink, 1)
        self.assertEqual(len(sink.script.requests), 2)

    def test_http_partial_success_is_not_sent_again_and_is_counted(self):
        sink = self.http_sink(("partial", 1, "one too many"))
        daemon = self.daemon_to(sink.port)
        self.ask(1)
        wait_for("a rejection", lambda: self.sink_status(daemon)["rejected_items"] == 1)
        time.sleep(1)
        self.assertEqual(len(sink.script.requests), 1)

    def test_http_hang_is_given_up_and_repeated(self):
        self.check_http(("hang", 4))

    def test_http_connection_dies_mid_stream(self):
        self.check_http(("die",), ("die",))

    def test_http_half_an_answer(self):
        sink = self.http_sink(("half",))
        daemon = self.daemon_to(sink.port)
        self.ask()
        self.assert_delivered(sink)
        daemon.ctl("modules")

    def test_http_refused_until_the_receiver_starts(self):
        port = free_port()
        daemon = self.daemon_to(port)
        self.ask()
        wait_for("retrying", lambda: self.sink_status(daemon).get("health") == "retrying")
        self.assert_delivered(self.http_sink(port=port))

    def test_http_hanging_receiver_does_not_hold_up_the_end(self):
        sink = self.http_sink(*[("hang", 3)] * 100)
        daemon = self.daemon_to(sink.port)
        self.ask(5)
        wait_for("the first batch", lambda: sink.script.requests)
        began = time.monotonic()
        daemon.stop()
        self.assertLess(time.monotonic() - began, 20)

    def test_grpc_accepts(self):
        sink = self.grpc_sink()
        self.daemon_to(sink.port, "otlp_grpc")
        self.ask()
        self.assert_delivered(sink)

    def test_grpc_unavailable_with_retry_info_waits_as_told(self):
        sink = self.grpc_sink(("status", "UNAVAILABLE", 2000))
        self.daemon_to(sink.port, "otlp_grpc")
        self.ask()
        self.assert_delivered(sink)
        self.assertGreaterEqual(sink.script.requests[1][0] - sink.script.requests[0][0], 1.9)

    def test_grpc_invalid_argument_is_not_retried(self):
        sink = self.grpc_sink(("status", "INVALID_ARGUMENT", None))
        daemon = self.daemon_to(sink.port, "otlp_grpc")
        self.ask(1)
        wait_for("a rejection", lambda: self.sink_status(daemon)["rejected_items"] == 1)
        time.sleep(1)
        self.assertEqual(len(sink.script.requests), 1)

    def test_grpc_hang_is_given_up_and_repeated(self):
        sink = self.grpc_sink(("hang", 3))
        self.daemon_to(sink.port, "otlp_grpc")
        self.ask()
        self.assert_delivered(sink)

    def test_grpc_partial_success_is_not_sent_again_and_is_counted(self):
        sink = self.grpc_sink(("partial", 1, "one too many"))
        daemon = self.daemon_to(sink.port, "otlp_grpc")
        self.ask(1)
        wait_for("a rejection", lambda: self.sink_status(daemon)["rejected_items"] == 1)
        time.sleep(1)
        self.assertEqual(len(sink.script.requests), 1)

    def test_grpc_connection_dies_mid_stream(self):
        sink = self.grpc_sink(*[("hang", 3)] * 10)
        daemon = self.daemon_to(sink.port, "otlp_grpc", timeout="20s")
        self.ask()
        wait_for("the first batch", lambda: sink.script.requests)
        sink.stop()  # its call gets no answer
        again = GrpcSink(port=sink.port)
        self.addCleanup(again.stop)
        self.assert_delivered(again)
        self.assertEqual(self.sink_status(daemon)["rejected_items"], 0)

    def test_a_broken_sink_does_not_hurt_another(self):
        good = self.http_sink()
        bad = {"name": "bad", "type": "otlp_http", "endpoint": f"http://127.0.0.1:{free_port()}", "retry": RETRY}
        collector = {"name": "collector", "type": "otlp_http", "endpoint": f"http://127.0.0.1:{good.port}"}
        self.run_daemon(self.server_port, exclude=[os.getpid()], sinks=[bad, collector])
        self.ask()
        self.assert_delivered(good)

    def test_whoever_scrapes_is_not_traced(self):
        places = [("127.0.0.1", free_port()), ("[::1]", free_port())]
        prometheus = [{"name": f"prometheus-{at}", "type": "prometheus", "endpoint": f"{host}:{port}"}
                      for at, (host, port) in enumerate(places)]
        file = {"name": "file", "type": "file", "path": str(self.folder / "spans.jsonl")}
        daemon = self.run_daemon(self.server_port, *(port for _, port in places), sinks=[file, *prometheus])
        self.ask(1)
        daemon.wait_spans(2)  # both ends of an ordinary request
        for host, port in places:
            with urllib.request.urlopen(f"http://{host}:{port}/metrics", timeout=10) as response:
                self.assertIn(b"http_server_request_duration", response.read())
        self.ask(1)
        self.assertEqual(len(daemon.wait_spans(4, settle=1.0)), 4, daemon.spans())


if __name__ == "__main__":
    unittest.main()
