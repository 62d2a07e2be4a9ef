# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""The metrics of a daemon, as its Prometheus sink shows them."""

import collections
import re
import urllib.request

from harness import free_port

LINE = re.compile(r'(?m)^(\w+)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class Scrape:
    def __init__(self):
        self.port = free_port()

    def sink(self):
        return {"name": "scrape", "type": "prometheus", "endpoint": f"127.0.0.1:{self.port}"}

    def samples(self, path="/metrics"):
        """(name, {label: value}, number) of every line."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as response:
            text = response.read().decode()
        return [(name, dict(LABEL.findall(labels or "")), float(value)) for name, labels, value in LINE.findall(text)]

    def body_sizes(self):
        """Counter of bytes in all bodies so far, by ("client" or "server", "request" or "response")."""
        sums = collections.Counter()
        for name, _, value in self.samples():
            found = re.fullmatch(r"http_(client|server)_(request|response)_body_size_\w*sum", name)
            if found:
                sums[found.groups()] += int(value)
        return sums
