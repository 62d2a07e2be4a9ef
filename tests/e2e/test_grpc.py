# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""gRPC and HTTP/2: as many spans as calls whatever runs at once, with the status that was on the wire."""

import collections
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time
import unittest

import grpc_pairs
import peers
from harness import FULL, LiveCase
from spans import CLIENT, SERVER
from under_load import Overflow, UnderLoad

SAY = "test.Echo/Say"


class GrpcCase(LiveCase):
    def run_grpc(self, *ports, settings=None, exclude=(), **options):
        targets = [{"name": "under_test", "ports": list(ports)}]
        if exclude:
            targets.append({"name": "not_these", "exclude": True, "exe": [os.path.realpath(self.need(e)) for e in exclude]})
        daemon = self.start_daemon(targets=targets, **options)
        daemon.load("grpc", *(word for key, value in (settings or {}).items() for word in ("--set", f"{key}={value}")))
        return daemon

    def assert_exact(self, daemon):
        self.assertEqual(daemon.losses(), {})
        self.assertTrue(daemon.ctl_json("ledger")["closes"])


class Python(GrpcCase):
    """grpc-python, which is gRPC's C++ core, on both ends."""

    def setUp(self):
        super().setUp()
        self.port, self.server = peers.grpc_server(self)
        self.client = peers.GrpcClient(self, self.port)

    def ask(self, **command):
        return self.client.ask(**command)

    def both(self, daemon, count, seconds=60, **criteria):
        """`count` spans of each side."""
        servers = daemon.wait_spans(count, seconds=seconds, kind=SERVER, **criteria)
        clients = daemon.wait_spans(count, seconds=seconds, settle=0.5, kind=CLIENT, **criteria)
        self.assertEqual((len(servers), len(clients)), (count, count))
        return servers, clients

    def test_unary(self):
        daemon = self.run_grpc(self.port)
        self.assertEqual(self.ask(call="say"), "OK")
        (server,), (client,) = self.both(daemon, 1)
        expected = {"rpc.system.name": "grpc", "rpc.method": SAY, "rpc.status_code": "OK",
                    "server.address": "127.0.0.1", "server.port": self.port}
        for span in (server, client):
            self.assertEqual(span.name, SAY)
            self.assertEqual({key: span.attributes.get(key) for key in expected}, expected)
            self.assertNotIn("error.type", span.attributes)
            self.assertNotIn("http.request.method", span.attributes)
        self.assertEqual((server.trace_id, server.parent_id), (client.trace_id, client.span_id))
        self.assertEqual(server.resource["process.pid"], self.server.pid)
        self.assert_exact(daemon)

    def test_statuses(self):
        """What the wire says: errors by side, and what a client makes of its own deadline."""
        daemon = self.run_grpc(self.port)
        for status in ("NOT_FOUND", "INTERNAL"):
            self.assertEqual(self.ask(call="fail", status=status), status)
        self.assertEqual(self.ask(call="missing"), "UNIMPLEMENTED")
        self.assertEqual(self.ask(call="deadline", seconds=0.3), "DEADLINE_EXCEEDED")
        self.assertEqual(self.ask(call="cancel", seconds=0.3), "CANCELLED")
        servers, clients = self.both(daemon, 5)

        def shown(spans):
            return sorted((span.name, span.attributes["rpc.status_code"], span.attributes.get("error.type", ""))
                          for span in spans)

        self.assertEqual(shown(clients), sorted([
            ("test.Echo/Fail", "NOT_FOUND", "NOT_FOUND"), ("test.Echo/Fail", "INTERNAL", "INTERNAL"),
            ("grpc", "UNIMPLEMENTED", "UNIMPLEMENTED"), ("test.Echo/Slow", "DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED"),
            ("test.Echo/Slow", "CANCELLED", "CANCELLED")]))
        self.assertEqual(shown(servers), sorted([
            ("test.Echo/Fail", "NOT_FOUND", ""), ("test.Echo/Fail", "INTERNAL", "INTERNAL"),
            ("grpc", "UNIMPLEMENTED", "UNIMPLEMENTED"), ("test.Echo/Slow", "DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED"),
            ("test.Echo/Slow", "CANCELLED", "")]))
        (unknown,) = [span for span in servers if span.name == "grpc"]
        self.assertEqual(unknown.attributes["rpc.method"], "_OTHER")
        self.assertEqual(unknown.attributes["rpc.method_original"], "test.Echo/Nothing")
        (late,) = [span for span in clients if span.attributes["rpc.status_code"] == "DEADLINE_EXCEEDED"]
        self.assertGreater(late.milliseconds, 250)
        self.assertLess(late.milliseconds, 4500)  # its handler takes 5 s
        self.assert_exact(daemon)

    def test_streams_end_with_their_trailers_and_count_messages(self):
        daemon = self.run_grpc(self.port, settings={"count_messages": "true"})
        self.assertEqual(self.ask(call="count", messages=1000), "OK")
        self.assertEqual(self.ask(call="sum", messages=70), "OK")
        self.assertEqual(self.ask(call="chat", messages=50), "OK")
        servers, clients = self.both(daemon, 3)

        def counted(spans):
            return {span.name: (span.attributes.get("probed.rpc.messages.sent"),
                                span.attributes.get("probed.rpc.messages.received")) for span in spans}

        self.assertEqual(counted(clients), {"test.Echo/Count": (1, 1000), "test.Echo/Sum": (70, 1),
                                            "test.Echo/Chat": (50, 50)})
        self.assertEqual(counted(servers), {"test.Echo/Count": (1000, 1), "test.Echo/Sum": (1, 70),
                                            "test.Echo/Chat": (50, 50)})
        self.assertEqual({span.attributes["rpc.status_code"] for span in [*servers, *clients]}, {"OK"})
        self.assert_exact(daemon)

    def test_metadata(self):
        settings = {"capture_request_headers": '["x-tenant"]', "ignored_paths": '["/test.Echo/Count"]'}
        daemon = self.run_grpc(self.port, settings=settings)
        trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
        self.assertEqual(self.ask(call="count", messages=1), "OK")
        self.assertEqual(self.ask(call="say", metadata=[["traceparent", f"00-{trace}-{parent}-01"],
                                                        ["tracestate", "a=1"], ["x-tenant", "blue"]]), "OK")
        (server,), (client,) = self.both(daemon, 1)
        self.assertEqual((server.trace_id, client.trace_id), (trace, trace))
        self.assertIn(parent, {server.parent_id, client.parent_id})
        self.assertEqual(server.trace_state, "a=1")
        self.assertEqual(server.attributes["rpc.request.header.x-tenant"], ["blue"])
        self.assert_exact(daemon)

    def test_connection_older_than_the_daemon(self):
        """Its header table is not known: calls are counted and timed, and what is said of them is right."""
        for _ in range(3):
            self.assertEqual(self.ask(call="say"), "OK")
        daemon = self.run_grpc(self.port)
        self.assertEqual(self.ask(call="say", times=20), "OK")
        self.assertEqual(self.ask(call="count", messages=3), "OK")
        self.assertEqual(self.ask(call="fail", status="NOT_FOUND"), "NOT_FOUND")
        servers, clients = self.both(daemon, 22)
        for spans in (servers, clients):
            names = collections.Counter(span.name for span in spans)
            print("older connection:", dict(names))
            self.assertLessEqual(set(names), {"grpc", SAY, "test.Echo/Count", "test.Echo/Fail"})
            self.assertEqual(names["test.Echo/Count"], 1)
            self.assertEqual(names["test.Echo/Fail"], 1)
            for span in spans:
                self.assertEqual(span.attributes.get("probed.rpc.method_unknown", False), span.name == "grpc")
                wanted = "NOT_FOUND" if span.name == "test.Echo/Fail" else "OK"
                self.assertIn(span.attributes.get("rpc.status_code"), {None, wanted})
        self.assertTrue(daemon.ctl_json("ledger")["closes"])


class Plain(GrpcCase):
    """HTTP/2 without TLS that is no gRPC."""

    def h2load(self, nginx, requests, connections, streams, path="/load"):
        done = subprocess.run([self.need("h2load"), "-n", str(requests), "-c", str(connections), "-m", str(streams),
                               "-t", "1", f"http://127.0.0.1:{nginx.port}{path}"],
                              capture_output=True, text=True, timeout=120)
        self.assertIn(f"{requests} succeeded, 0 failed", done.stdout, done.stdout + done.stderr)

    def run_h2load(self, streams, rounds=20 if FULL else 8, requests=500, connections=4):
        """In rounds, as fast as it goes: paced requests would never be `streams` at once, and of a round all fits into
        the ring, even if the daemon gets no processor meanwhile."""
        nginx = peers.Nginx(self, h2=True)
        daemon = self.run_grpc(nginx.port, exclude=["h2load"])
        for number in range(1, rounds + 1):
            self.h2load(nginx, requests, connections, streams)
            daemon.wait_spans(number * requests, seconds=60, kind=SERVER)
        nginx.wait_requests(rounds * requests)
        spans = daemon.wait_spans(rounds * requests, settle=1.0, kind=SERVER)
        self.assertEqual(len(spans), rounds * requests)
        self.assertEqual({(span.path, span.attributes["http.response.status_code"],
                           span.attributes["network.protocol.version"]) for span in spans}, {("/load", 200, "2")})
        self.assert_exact(daemon)

    def test_1_stream(self):
        self.run_h2load(1)

    def test_8_streams(self):
        self.run_h2load(8)

    def test_64_streams(self):
        self.run_h2load(64)

    def test_both_ends(self):
        nginx = peers.Nginx(self, h2=True)
        daemon = self.run_grpc(nginx.port)
        curl = self.need("curl")
        for number in range(20):
            subprocess.run([curl, "-s", "--http2-prior-knowledge", f"http://127.0.0.1:{nginx.port}/a/{number}?q=1"],
                           check=True, stdout=subprocess.DEVNULL)
        servers = daemon.wait_spans(20, kind=SERVER)
        clients = daemon.wait_spans(20, settle=0.5, kind=CLIENT)
        self.assertEqual((len(servers), len(clients)), (20, 20))
        wanted = sorted(f"/a/{number}" for number in range(20))
        self.assertEqual(sorted(span.path for span in servers), wanted)
        self.assertEqual(sorted(span.path for span in clients), wanted)
        self.assertEqual({span.parent_id for span in servers}, {span.span_id for span in clients})
        urls = {span.attributes["url.full"] for span in clients}
        self.assertIn(f"http://127.0.0.1:{nginx.port}/a/7?q=1", urls)
        self.assert_exact(daemon)

    def test_request_made_for_a_call_is_its_child(self):
        upstream, _ = peers.python_server(self)
        nginx = peers.Nginx(self, upstream_port=upstream, h2=True)
        daemon = self.run_grpc(nginx.port, upstream, exclude=["curl"])
        daemon.load("http")
        for number in range(10):
            subprocess.run([self.need("curl"), "-s", "--http2-prior-knowledge", "-o", "/dev/null",
                            f"http://127.0.0.1:{nginx.port}/proxy/{number}"], check=True)
        made = daemon.wait_spans(10, kind=CLIENT)
        asked = daemon.wait_spans(10, settle=0.5, kind=SERVER, network__protocol__version="2")
        parents = {span.span_id: span.path for span in asked}
        self.assertEqual(sorted(parents[span.parent_id] for span in made), sorted(f"/proxy/{n}" for n in range(10)))

    def test_bodies_of_100_mb(self):
        nginx = peers.Nginx(self, h2=True)
        daemon = self.run_grpc(nginx.port, exclude=["nghttp"])
        sizes = [0, 1, 1000, 65_536, 1 << 20, 100_000_000]
        urls = [f"http://127.0.0.1:{nginx.port}{nginx.file(f'f{size}', size)}" for size in sizes]
        subprocess.run([self.need("nghttp"), "--null-out", *urls], check=True)  # all at once on one connection
        spans = daemon.wait_spans(len(sizes), settle=0.5, kind=SERVER)
        self.assertEqual(sorted(span.path for span in spans), sorted(f"/files/f{size}" for size in sizes))
        self.assert_exact(daemon)


class GrpcUnderLoad(UnderLoad, GrpcCase):
    module = "grpc"

    def load_peers(self):
        self.nginx = peers.Nginx(self, h2=True)
        command = [self.need("h2load"), "-n", "2000", "-c", "4", "-m", "8", "-t", "1", "--rps", "1500",
                   f"http://127.0.0.1:{self.nginx.port}/load"]

        def round_of():
            done = subprocess.run(command, capture_output=True, text=True, timeout=120)
            self.assertIn("2000 succeeded, 0 failed", done.stdout, done.stdout + done.stderr)
            return 2000
        return round_of

    def load_daemon(self, **options):
        return self.start_daemon(targets=[{"name": "nginx", "pids": [self.nginx.process.pid]}], **options)

    def is_operation(self, span):
        return span.path == "/load" and span.attributes["http.response.status_code"] == 200


class GrpcFullRing(Overflow, GrpcCase):
    """Of one connection: what the header tables are is not known after the hole, but calls are counted and timed."""

    module = "grpc"
    load_options = ("--set", 'capture_request_headers=["x-number"]')
    unnamed = True

    def talk_peers(self):
        self.port, server = peers.grpc_server(self)
        client = peers.GrpcClient(self, self.port)
        self.client = client.process.pid

        def talk(first, count):
            for number in range(first, first + count):
                self.assertEqual(client.ask(call="say", metadata=[["x-number", str(number)]]), "OK")
        return talk

    def load_daemon(self, **options):
        return self.start_daemon(targets=[{"name": "client", "pids": [self.client]}], **options)

    def is_operation(self, span):
        self.assertIn(span.name, {SAY, "grpc"})
        self.assertIn(span.attributes.get("rpc.status_code"), {"OK", None})
        return span.kind == CLIENT

    def number_of(self, span):
        number = span.attributes.get("rpc.request.header.x-number")
        return int(number[0]) if number else None


class Pairs:
    """What holds for the two ends of any library; `program` gives the command of both."""

    program = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = pathlib.Path(tempfile.mkdtemp(prefix="probed-grpc."))
        cls.addClassCleanup(shutil.rmtree, folder, ignore_errors=True)
        try:
            cls.command = cls.program()
        except grpc_pairs.Missing as missing:
            print(f"SKIPPED: {cls.__name__}: {missing}")
            raise unittest.SkipTest(str(missing)) from None
        cls.server = grpc_pairs.Server(cls.command, folder)
        cls.addClassCleanup(cls.server.stop)

    def setUp(self):
        super().setUp()
        self.port = self.server.port
        self.client = grpc_pairs.Client(self, self.command, self.port)

    def call(self, *words, status=0):
        self.assertEqual(self.client.ask(*words), status, words)

    def both(self, daemon, count, seconds=60):
        servers = daemon.wait_spans(count, seconds=seconds, kind=SERVER)
        clients = daemon.wait_spans(count, seconds=seconds, settle=0.3, kind=CLIENT)
        self.assertEqual((len(servers), len(clients)), (count, count))
        self.assert_linked(servers, clients)
        return servers, clients

    def assert_linked(self, servers, clients):
        """No parent is a wrong one. On a busy machine one of thousands is missing: a span waits 20 ms for its other end."""
        calls = {span.span_id: span for span in clients}
        linked = [span for span in servers if span.parent_id]
        self.assertEqual(len({span.parent_id for span in linked}), len(linked))
        for span in linked:
            call = calls[span.parent_id]
            self.assertEqual((span.trace_id, span.name), (call.trace_id, call.name))
        alone = len(servers) - len(linked)
        if alone:
            print(f"{self.id()}: {alone} of {len(servers)} without a parent")
        self.assertLessEqual(alone, len(servers) // 200)

    def test_kinds(self):
        daemon = self.run_grpc(self.port, settings={"count_messages": "true"})
        self.call("say", 5, 2)
        self.call("count", 100)
        self.call("sum", 70)
        self.call("chat", 50)
        servers, clients = self.both(daemon, 5)

        def shown(spans, first, second):
            return sorted((span.name, span.attributes["rpc.method"], span.attributes["rpc.status_code"],
                           span.attributes.get(f"probed.rpc.messages.{first}"),
                           span.attributes.get(f"probed.rpc.messages.{second}")) for span in spans)

        expected = sorted((f"test.Echo/{name}", f"test.Echo/{name}", "OK", sent, received) for name, sent, received in
                          [("Say", 1, 1), ("Say", 1, 1), ("Count", 1, 100), ("Sum", 70, 1), ("Chat", 50, 50)])
        self.assertEqual(shown(clients, "sent", "received"), expected)
        self.assertEqual(shown(servers, "received", "sent"), expected)
        for span in servers:
            self.assertEqual(span.resource["process.pid"], self.server.process.pid)
        for span in clients:
            self.assertEqual((span.attributes["server.address"], span.attributes["server.port"]),
                             ("127.0.0.1", self.port))
        self.assert_exact(daemon)

    def test_statuses_and_durations(self):
        """Of a handler that waits spans are not shorter than that, and the client's own clock saw them all. A server is
        cancelled by its client a moment before its own deadline, or after."""
        daemon = self.run_grpc(self.port)
        self.call("say", 5, 1)
        self.call("say", 4_000_000, 3)
        for words, status in ((("fail", 5), 5), (("fail", 13), 13), (("missing",), 12), (("deadline", 300), 4),
                              (("cancel", 300), 1)):
            self.call(*words, status=status)
        delay, calls, seen = 50, 10, []
        for _ in range(calls):
            begun = time.monotonic()
            self.call("slow", delay)
            seen.append((time.monotonic() - begun) * 1000)
        servers, clients = self.both(daemon, 4 + 5 + calls)
        ok, slow, given_up = [(SAY, "OK")] * 4, [("test.Echo/Slow", "OK")] * calls, "DEADLINE_EXCEEDED"
        for spans in (servers, clients):
            shown = [(span.name, span.attributes["rpc.status_code"]) for span in spans]
            if spans is servers and ("test.Echo/Slow", given_up) not in shown:
                given_up = "CANCELLED"
            self.assertEqual(sorted(shown), sorted([
                *ok, *slow, ("test.Echo/Fail", "NOT_FOUND"), ("test.Echo/Fail", "INTERNAL"), ("grpc", "UNIMPLEMENTED"),
                ("test.Echo/Slow", given_up), ("test.Echo/Slow", "CANCELLED")]))
            given_up = "DEADLINE_EXCEEDED"
            lasted = sorted((span for span in spans if (span.name, span.attributes["rpc.status_code"]) in slow),
                            key=lambda span: span.start_ns)
            for span, most in zip(lasted, seen, strict=True):
                self.assertLessEqual(span.milliseconds, most)
            # An end that is kept from the end of its call begins later than the other one: that is rare.
            shorter = [span.milliseconds for span in lasted if span.milliseconds < delay - 1]
            self.assertLessEqual(len(shorter), 1, shorter)
            median = statistics.median(span.milliseconds for span in lasted)
            print(f"{type(self).__name__}: median of {calls} calls of {delay} ms: {median:.2f} ms")
        for span in clients:
            status = span.attributes["rpc.status_code"]
            self.assertEqual(span.attributes.get("error.type"), None if status == "OK" else status)
            if span.name == "test.Echo/Slow" and status != "OK":
                self.assertGreater(span.milliseconds, 250)
                self.assertLess(span.milliseconds, 4500)  # its handler takes 5 s
        self.assert_exact(daemon)

    def test_exact(self):
        """Thousands of calls over one connection, 1, 8 and 64 at once, each a span at both ends. In rounds, because all
        in one go may be more than the ring holds on a small machine."""
        daemon = self.run_grpc(self.port)
        rounds = [(1, 500), (8, 1500), (64, 2000)]
        if FULL:
            rounds = ([(1, 1000)] * 2 + [(8, 2000)] * 2 + [(64, 2000)] * 2) * 10
        calls = 0
        for streams, times in rounds:
            self.call("parallel", streams, times, 100)
            calls += times
            daemon.wait_spans(calls, kind=SERVER)
        for spans in self.both(daemon, calls):
            self.assertEqual({(span.name, span.attributes["rpc.method"], span.attributes["rpc.status_code"])
                              for span in spans}, {(SAY, SAY, "OK")})
            self.assertEqual(len({span.span_id for span in spans}), calls)
        self.assert_exact(daemon)

    def test_connection_older_than_the_daemon(self):
        """Its header table is not known: calls are counted and timed, and what is said of them is right."""
        self.call("say", 5, 3)
        daemon = self.run_grpc(self.port)
        self.call("say", 5, 20)
        self.call("count", 3)
        self.call("fail", 5, status=5)
        for spans in self.both(daemon, 22):
            names = collections.Counter(span.name for span in spans)
            print(f"{type(self).__name__}, older connection:", dict(names))
            self.assertLessEqual(set(names), {"grpc", SAY, "test.Echo/Count", "test.Echo/Fail"})
            self.assertEqual((names["test.Echo/Count"], names["test.Echo/Fail"]), (1, 1))
            for span in spans:
                self.assertEqual(span.attributes.get("probed.rpc.method_unknown", False), span.name == "grpc")
                wanted = "NOT_FOUND" if span.name == "test.Echo/Fail" else "OK"
                self.assertIn(span.attributes.get("rpc.status_code"), {None, wanted})
        self.assertTrue(daemon.ctl_json("ledger")["closes"])


class Cxx(Pairs, GrpcCase):
    program = staticmethod(grpc_pairs.cxx)


class Go(Pairs, GrpcCase):
    program = staticmethod(lambda: grpc_pairs.built("go"))


class Node(Pairs, GrpcCase):
    program = staticmethod(lambda: grpc_pairs.built("node"))


class Java(Pairs, GrpcCase):
    program = staticmethod(lambda: grpc_pairs.built("java"))


if __name__ == "__main__":
    unittest.main()
