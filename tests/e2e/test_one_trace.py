# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""nginx, behind it Python, behind that PostgreSQL and a Go gRPC server: one trace, and no parent that is another's."""

import http.client
import os
import re
import threading
import unittest

import grpc_pairs
import peers
from databases import SqlCase
from harness import accepts, free_port, wait_for
from spans import CLIENT, SERVER

CONCURRENCY = 20
REQUESTS_EACH = 25


def trace_of(number):
    return f"{number + 1:032x}"


class OneTrace(SqlCase):
    def setUp(self):
        super().setUp()
        self.postgres()
        try:
            self.go = grpc_pairs.Server(grpc_pairs.built("go"), self.folder)
        except grpc_pairs.Missing as reason:
            print(f"SKIPPED: {self.id()}: {reason}")
            self.skipTest(str(reason))
        self.addCleanup(self.go.stop)

    def open_shop(self, channels):
        self.shop = free_port()
        self.spawn([peers.PYTHON, peers.SERVERS / "shop.py", self.shop, self.go.port, channels], env=self.environment())
        wait_for("the shop to open", lambda: accepts(self.shop))
        # The shop has a thread for each connection.
        self.nginx = peers.Nginx(self, upstream_port=self.shop, upstream_keepalive=channels == "own")

    def ask(self, begin, with_context, failures):
        connection = http.client.HTTPConnection("127.0.0.1", self.nginx.port, timeout=60)
        for number in range(begin, begin + REQUESTS_EACH):
            headers = {"traceparent": f"00-{trace_of(number)}-b7ad6b7169203331-01"} if with_context else {}
            connection.request("GET", f"/proxy/{number}", headers=headers)
            response = connection.getresponse()
            response.read()
            if response.status != 200:
                failures.append((number, response.status))
        connection.close()

    def ask_all(self, with_context):
        failures = []
        threads = [threading.Thread(target=self.ask, args=(thread * REQUESTS_EACH, with_context, failures))
                   for thread in range(CONCURRENCY)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])

    def number_of(self, span):
        """Which request it is about, by what only that one says."""
        named = ("db.query.text", "rpc.method_original", "rpc.method")
        said = next((span.attributes[key] for key in named if key in span.attributes), span.path)
        return int(re.search(r"(?:\br|/R?)(\d+)\b", said)[1])

    def collect(self, daemon):
        """{role: {number: span}} of every step of the way."""
        roles = {(SERVER, self.nginx.port): "front", (CLIENT, self.shop): "to_shop", (SERVER, self.shop): "shop",
                 (CLIENT, self.port): "query", (CLIENT, self.go.port): "call", (SERVER, self.go.port): "go"}
        total = CONCURRENCY * REQUESTS_EACH
        daemon.wait_spans(len(roles) * total, seconds=60, settle=1.0)
        found = {role: {} for role in roles.values()}
        for span in daemon.spans():
            self.assertNotIn(self.number_of(span), found[roles[span.kind, span.attributes["server.port"]]])
            found[roles[span.kind, span.attributes["server.port"]]][self.number_of(span)] = span
        self.assertEqual({role: len(spans) for role, spans in found.items()}, dict.fromkeys(found, total))
        self.assertEqual(daemon.losses(), {})
        return found

    def assert_parents(self, children, parents, always=True):
        """None has another's. Those of threads that answer requests always have one; a library's own threads know none."""
        for number, span in children.items():
            if always or span.parent_id:
                self.assertEqual((span.parent_id, span.trace_id), (parents[number].span_id, parents[number].trace_id), number)

    def trace(self, with_context, channels="shared"):
        self.open_shop(channels)
        daemon = self.start_daemon(targets=[
            {"name": "shop", "ports": [self.nginx.port, self.shop, self.port, self.go.port]},
            {"name": "not_the_database", "exclude": True, "exe": [os.path.realpath(self.postgres_program("postgres"))]},
            {"name": "not_the_test", "exclude": True, "pids": [os.getpid()]}])
        for module in ("http", "grpc", "sql"):
            daemon.load(module)
        self.ask_all(with_context)
        found = self.collect(daemon)
        self.assert_parents(found["to_shop"], found["front"])
        self.assert_parents(found["shop"], found["to_shop"])
        self.assert_parents(found["query"], found["shop"])
        self.assert_parents(found["call"], found["shop"], always=False)
        self.assert_parents(found["go"], found["call"])
        known = sum(1 for span in found["call"].values() if span.parent_id)
        print(f"{known} of {len(found['call'])} calls have a parent")
        return found

    def test_without_context(self):
        front = self.trace(False)["front"]
        self.assertEqual({span.parent_id for span in front.values()}, {""})
        self.assertEqual(len({span.trace_id for span in front.values()}), len(front))

    def test_a_channel_for_each_thread(self):
        """What the thread of a request sends is known but for the first call of each channel: who sends that is open."""
        found = self.trace(False, channels="own")
        self.assertEqual({span.parent_id for span in found["front"].values()}, {""})
        channels = len({span.attributes["network.peer.port"] for span in found["go"].values()})
        self.assertLess(channels, len(found["call"]) / 4)
        known = sum(1 for span in found["call"].values() if span.parent_id)
        self.assertGreaterEqual(known, 0.9 * (len(found["call"]) - channels))

    def test_with_context(self):
        front = self.trace(True)["front"]
        self.assertEqual({number: span.trace_id for number, span in front.items()},
                         {number: trace_of(number) for number in front})
        self.assertEqual({span.parent_id for span in front.values()}, {"b7ad6b7169203331"})


if __name__ == "__main__":
    unittest.main()
