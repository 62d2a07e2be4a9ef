# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""What a daemon holds in the kernel and in its address space, to compare before and after."""

import collections
import json
import os
import re
import subprocess
import time

BPFTOOL = "/usr/sbin/bpftool"


def bpf_objects():
    """{"prog": {id: name}, "map": ..., "link": ...} of the whole machine."""
    found = {}
    for kind in ("prog", "map", "link"):
        shown = subprocess.run([BPFTOOL, "-j", kind, "show"], capture_output=True, check=True).stdout
        found[kind] = {item["id"]: item.get("name", item.get("type", "")) for item in json.loads(shown or "[]")}
    return found


def new_objects(before):
    """Objects that were not there before, as readable strings."""
    now = bpf_objects()
    return sorted(f"{kind} {number} {name}" for kind in now for number, name in now[kind].items()
                  if number not in before[kind])


def wait_no_new_objects(before, seconds=10):
    """The kernel frees BPF objects a grace period later. Returns what is still there at the end."""
    deadline = time.monotonic() + seconds
    while (left := new_objects(before)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


def descriptors(pid):
    """Counter of what the open descriptors of a process point at; numbers of sockets and pipes do not matter."""
    held = collections.Counter()
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            held[re.sub(r"\[\d+\]", "", os.readlink(f"/proc/{pid}/fd/{name}"))] += 1
        except FileNotFoundError:
            continue  # closed between the two calls
    return held


def mapped_modules(pid):
    """Files of modules that are mapped: named ones, and the sealed copies the daemon makes of them."""
    with open(f"/proc/{pid}/maps", encoding="ascii", errors="replace") as maps:
        return sorted({line.split(maxsplit=5)[5].strip() for line in maps
                       if "/modules/" in line or "/memfd:" in line and "bpf" not in line})


def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1))


class Footprint:
    """What a daemon holds without modules; after some came and went it must hold as much."""

    def __init__(self, case, daemon):
        self.case, self.daemon = case, daemon
        self.objects, self.held = bpf_objects(), descriptors(daemon.pid)
        case.assertEqual(mapped_modules(daemon.pid), [])

    def assert_as_before(self, resident):
        """`resident`: KiB when half of them had come and gone."""
        self.case.assertEqual(wait_no_new_objects(self.objects), [])
        # The file sink opens its file at its first batch.
        left = {name: count for name, count in (descriptors(self.daemon.pid) - self.held).items()
                if "spans.jsonl" not in name}
        self.case.assertEqual(left, {})
        self.case.assertEqual(mapped_modules(self.daemon.pid), [])
        self.case.assertLess(resident_kib(self.daemon.pid), resident * 1.2 + 2048)


def forks():
    """Processes and threads that were made on this machine since it started."""
    with open("/proc/stat", encoding="ascii") as stat:
        return int(re.search(r"(?m)^processes (\d+)", stat.read()).group(1))


def switches(pid, without=()):
    """Context switches per thread so far, by thread id and name: a thread that wakes up, by a timer or otherwise, adds
    to it. Threads named in `without` are left out."""
    found = {}
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status", encoding="ascii") as status:
            text = status.read()
        name = re.search(r"Name:\s+(\S+)", text).group(1)
        if name not in without:
            found[f"{task} {name}"] = sum(int(number) for number in re.findall(r"ctxt_switches:\s+(\d+)", text))
    return found
