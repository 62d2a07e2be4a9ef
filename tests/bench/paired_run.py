# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""What tracing every request costs on this machine: bare and traced rounds in turn, medians of paired differences.

    sudo paired_run.py BUILD_DIR [--rounds 15] [--seconds 2] [--connections 16]

nginx (one worker) has CPU 1; the load, which waits once for 16 answers, probed and the collector share CPU 0. In a traced round probed runs with http
loaded and sends every span to an OTLP/gRPC collector; in a bare round it does not run. Printed: CPU time per request of
nginx, its client and probed; (added to nginx + probed) / (bare nginx + client); memory of probed. Exits 1 when a budget
of docs/benchmarks.md is exceeded, and 2 when the machine was too unsteady to say.
"""

import argparse
import glob
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time

E2E = pathlib.Path(__file__).resolve().parents[1] / "e2e"
sys.path.insert(0, str(E2E))
sys.dont_write_bytecode = True

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("build", type=pathlib.Path)
parser.add_argument("--rounds", type=int, default=15)
parser.add_argument("--seconds", type=float, default=2)
parser.add_argument("--connections", type=int, default=16)
options = parser.parse_args()
os.environ["PROBED_BUILD_DIR"] = str(options.build.resolve())

import harness  # noqa: E402  needs PROBED_BUILD_DIR
import leaks  # noqa: E402
import peers  # noqa: E402

SHARE_BUDGET, RSS_BUDGET_MIB, MAPS_BUDGET_MIB = 0.17, 40, 8
UNSTEADY = 0.05


def cpu_ns(pid):
    total = 0
    for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
        try:
            with open(path, encoding="ascii") as file:
                total += int(file.read().split()[0])
        except FileNotFoundError:
            continue  # the thread has just ended
    return total


def bpf_map_mib(before):
    shown = json.loads(subprocess.run([leaks.BPFTOOL, "-j", "map", "show"], capture_output=True, check=True).stdout)
    mine = [item for item in shown if item["id"] not in before["map"]]
    rings = sum(item.get("bytes_memlock", 0) for item in mine if item["type"] == "ringbuf")
    return (sum(item.get("bytes_memlock", 0) for item in mine) - rings) / 2**20, rings / 2**20


class Bench(harness.LiveCase):
    """Borrows the temporary folder and the clean-up of a test case."""

    def runTest(self):
        self.nginx = peers.Nginx(self)
        os.sched_setaffinity(self.nginx.process.pid, {1})
        collector_port = harness.free_port()
        self.collector = self.spawn([options.build / "bench" / "otlp_collector", f"127.0.0.1:{collector_port}"])
        os.sched_setaffinity(self.collector.pid, {0})
        self.endpoint = f"127.0.0.1:{collector_port}"
        requests = self.calibrate()
        rounds = [(self.round(requests), self.traced_round(requests), self.round(requests))
                  for _ in range(options.rounds)]
        steady = [(a, b, c) for a, b, c in rounds if abs(a["nginx"] - c["nginx"]) <= UNSTEADY * a["nginx"]]
        self.report(requests, steady)

    def calibrate(self):
        began = time.monotonic()
        self.load(20_000)
        return int(20_000 * options.seconds / (time.monotonic() - began))

    def load(self, requests):
        shown = subprocess.run([str(options.build / "bench" / "closed_loop"), str(self.nginx.port), str(requests),
                                str(options.connections), "last-first"], capture_output=True, text=True, check=True,
                               preexec_fn=lambda: os.sched_setaffinity(0, {0})).stdout
        return float(re.search(r"client_ns_per_request ([\d.]+)", shown).group(1))

    def round(self, requests, daemon=None):
        nginx = cpu_ns(self.nginx.process.pid)
        own = cpu_ns(daemon.pid) if daemon else 0
        client = self.load(requests)
        nginx = (cpu_ns(self.nginx.process.pid) - nginx) / requests
        if daemon:
            time.sleep(1)  # the last batches are part of the price
            own = (cpu_ns(daemon.pid) - own) / requests
        return {"nginx": nginx, "client": client, "daemon": own}

    def traced_round(self, requests):
        before = leaks.bpf_objects()
        folder = self.folder / f"round-{time.monotonic_ns()}"
        folder.mkdir()
        daemon = harness.Daemon(folder, targets=[{"name": "web", "exe": [os.path.realpath(self.nginx.program)]}],
                                sinks=[{"name": "collector", "type": "otlp_grpc", "endpoint": self.endpoint}],
                                daemon={"batch_delay": "200ms"})
        try:
            daemon.start()
            for task in os.listdir(f"/proc/{daemon.pid}/task"):
                os.sched_setaffinity(int(task), {0})
            daemon.load()
            self.load(2000)
            measured = self.round(requests, daemon)
            measured["maps"], measured["rings"] = bpf_map_mib(before)
            measured["rss"] = leaks.resident_kib(daemon.pid) / 1024
            measured["lost"] = sum(daemon.losses().values())
        finally:
            daemon.stop()
        return measured

    def report(self, requests, rounds):
        if len(rounds) < max(3, options.rounds // 2):
            print(f"only {len(rounds)} of {options.rounds} rounds were steady: nothing can be said")
            sys.exit(2)
        bare = [{key: (a[key] + b[key]) / 2 for key in ("nginx", "client")} for a, _, b in rounds]
        traced = [one for _, one, _ in rounds]
        added = statistics.median(t["nginx"] - b["nginx"] for t, b in zip(traced, bare))
        own = statistics.median(t["daemon"] for t in traced)
        whole = statistics.median(b["nginx"] + b["client"] for b in bare)
        share = (added + own) / whole
        last = traced[-1]
        rss = last["rss"] - 2 * last["rings"]  # the reader maps each ring twice
        print(f"{len(rounds)} steady rounds of {requests} requests, medians, ns per request")
        print(f"  bare nginx + client        {whole:8.0f}")
        print(f"  added to nginx             {added:8.0f}")
        print(f"  probed, everything         {own:8.0f}")
        print(f"  share                      {share:8.1%}   budget {SHARE_BUDGET:.0%}")
        print(f"  RSS without rings          {rss:8.1f} MiB budget {RSS_BUDGET_MIB} MiB (rings {last['rings']:.1f})")
        print(f"  maps without rings         {last['maps']:8.1f} MiB budget {MAPS_BUDGET_MIB} MiB")
        print(f"  records counted as lost    {sum(t['lost'] for t in traced):8d}   budget 0")
        over = (share > SHARE_BUDGET, rss > RSS_BUDGET_MIB, last["maps"] > MAPS_BUDGET_MIB,
                any(one["lost"] for one in traced))
        sys.exit(1 if any(over) else 0)


if __name__ == "__main__":
    Bench.setUpClass()
    case = Bench()
    case.setUp()
    try:
        case.runTest()
    finally:
        case.doCleanups()
