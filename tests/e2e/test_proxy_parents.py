# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""nginx in front of Python at concurrency 16: every CLIENT span is the child of its own SERVER span."""

import http.client
import os
import threading
import unittest

import peers
from harness import LiveCase
from scrape import Scrape
from spans import CLIENT, SERVER

CONCURRENCY = 16
REQUESTS_EACH = 100


def paths_of(thread):
    return [f"/proxy/{thread}-{number}" for number in range(REQUESTS_EACH)]


def ask(port, paths, failures):
    """Each thread keeps one connection to nginx open."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for path in paths:
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        if response.status != 200:
            failures.append((path, response.status))
    connection.close()


class ProxyParents(LiveCase):
    def run_proxy(self, keepalive):
        upstream, _ = peers.python_server(self)
        nginx = peers.Nginx(self, upstream_port=upstream, upstream_keepalive=keepalive)
        self.page = Scrape()
        daemon = self.run_daemon(nginx.port, upstream, exclude=[os.getpid()],
                                 daemon={"http_listen": f"127.0.0.1:{self.page.port}"})
        failures = []
        threads = [threading.Thread(target=ask, args=(nginx.port, paths_of(number), failures))
                   for number in range(CONCURRENCY)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        total = CONCURRENCY * REQUESTS_EACH
        found = daemon.wait_spans(3 * total, settle=1.0)
        self.assertEqual(len(found), 3 * total)
        servers = [span for span in found if span.kind == SERVER]
        front = {span.path: span for span in servers if span.attributes["server.port"] == nginx.port}
        behind = {span.path: span for span in servers if span.attributes["server.port"] == upstream}
        between = {span.path: span for span in found if span.kind == CLIENT}
        self.assertEqual([len(front), len(between), len(behind)], [total] * 3)
        return front, between, behind

    def count(self, children, parents):
        """(wrong, without): children whose parent is another span, or none."""
        without = sum(1 for span in children.values() if not span.parent_id)
        right = sum(1 for path, span in children.items()
                    if (span.parent_id, span.trace_id) == (parents[path].span_id, parents[path].trace_id))
        return len(children) - right - without, without

    def check(self, keepalive, wrong_share, without_share):
        front, between, behind = self.run_proxy(keepalive)
        wrong, without = self.count(between, front)
        print(f"upstream keep-alive {keepalive}: {wrong} wrong, {without} without a parent, of {len(between)}")
        self.assertLessEqual(wrong, wrong_share * len(between))
        self.assertLessEqual(without, without_share * len(between))
        self.check_counters(len(front), without)
        # The two ends of a connection are joined by the sockets, which is never a guess.
        self.assertEqual(self.count(behind, between), (0, 0))
        for path, span in between.items():
            if span.parent_id == front[path].span_id:
                self.assertLessEqual(front[path].start_ns, span.start_ns)

    def check_counters(self, total, without):
        """The daemon says of every span where its parent came from, and why one has none."""
        said = {labels["origin"]: int(value) for name, labels, value in self.page.samples()
                if name.startswith("probed_link_parents") and "origin" in labels}
        expected = {"pair": total, "cause": total - without, "root": total + without, "remote": 0}
        self.assertEqual({origin: said[origin] for origin in expected}, expected)
        self.assertEqual(said["ambiguous"] + said["stale"], without)

    def test_new_upstream_connections(self):
        self.check(keepalive=False, wrong_share=0, without_share=0)

    def test_upstream_keepalive(self):
        self.check(keepalive=True, wrong_share=0.003, without_share=0.05)


if __name__ == "__main__":
    unittest.main()
