#!/usr/bin/python3
# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""Drives probed over gRPC: loads a module, configures it, watches its state, prints spans, and unloads it again.

Needs python3-grpcio, python3-protobuf and protobuf-compiler-grpc. The stubs are made from the .proto files each time,
in a temporary folder, so that nothing generated has to be kept up to date.
"""
import argparse
import contextlib
import importlib
import json
import pathlib
import queue
import subprocess
import sys
import tempfile
import threading
import uuid

import grpc

# In the source tree; an installed copy says where with --proto.
PROTO_FOLDER = pathlib.Path(__file__).resolve().parents[3] / "api" / "proto"


class Api:
    """The generated modules."""

    def __init__(self, proto_folder: pathlib.Path, out: pathlib.Path):
        files = ["probed/v1/types.proto", "probed/v1/control.proto", "probed/v1/observe.proto",
                 "google/rpc/status.proto", "google/rpc/error_details.proto"]
        subprocess.run(["protoc", f"-I{proto_folder}", f"--python_out={out}", f"--grpc_out={out}",
                        "--plugin=protoc-gen-grpc=/usr/bin/grpc_python_plugin", *files], check=True)
        sys.path.insert(0, str(out))
        # google.protobuf lives elsewhere; both folders are one package.
        importlib.import_module("google").__path__.append(str(out / "google"))
        self.types = importlib.import_module("probed.v1.types_pb2")
        self.control = importlib.import_module("probed.v1.control_pb2")
        self.control_stubs = importlib.import_module("probed.v1.control_pb2_grpc")
        self.observe = importlib.import_module("probed.v1.observe_pb2")
        self.observe_stubs = importlib.import_module("probed.v1.observe_pb2_grpc")
        self.status = importlib.import_module("google.rpc.status_pb2")
        self.details = importlib.import_module("google.rpc.error_details_pb2")


def explain(api: Api, error: grpc.RpcError) -> str:
    """What a failed call says, with reason and fields."""
    lines = [f"{error.code().name}: {error.details()}"]
    for key, value in error.trailing_metadata() or ():
        if key != "grpc-status-details-bin":
            continue
        for detail in api.status.Status.FromString(value).details:
            info, bad = api.details.ErrorInfo(), api.details.BadRequest()
            if detail.Unpack(info):
                lines.append(f"  reason {info.reason}")
            if detail.Unpack(bad):
                lines += [f"  {field.field}: {field.description}" for field in bad.field_violations]
    return "\n".join(lines)


class Stream:
    """Reads a stream on a thread of its own. Ready once the daemon has said that it is in place."""

    def __init__(self, call):
        self._call = call
        self._ready = threading.Event()
        self.messages = queue.Queue()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        try:
            for message in self._call:
                self.messages.put(message)
                self._ready.set()
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.CANCELLED:
                self.messages.put(error)
        self._ready.set()

    def wait(self, timeout: float):
        if not self._ready.wait(timeout):
            raise SystemExit("the stream did not begin in time")
        first = self.messages.get()
        if isinstance(first, grpc.RpcError):
            raise first

    def next(self, timeout: float):
        message = self.messages.get(timeout=timeout)
        if isinstance(message, grpc.RpcError):
            raise message
        return message

    def close(self):
        self._call.cancel()
        self._thread.join()


class Client:
    def __init__(self, api: Api, channel: grpc.Channel, timeout: float):
        self.api = api
        self.timeout = timeout
        self.control = api.control_stubs.ControlStub(channel)
        self.observe = api.observe_stubs.ObserveStub(channel)

    def options(self):
        """A fresh request id: whoever repeats a request after a lost answer sends the same one."""
        return self.api.types.ChangeOptions(request_id=str(uuid.uuid4()))

    def info(self):
        return self.control.GetInfo(self.api.control.GetInfoRequest(), timeout=self.timeout)

    def load(self, name: str, config: dict):
        spec = self.api.types.ModuleSpec(name=name, config_json=json.dumps(config))
        request = self.api.control.LoadModuleRequest(options=self.options(), spec=spec)
        return self.control.LoadModule(request, timeout=self.timeout)

    def configure(self, name: str, config: dict, etag: str):
        options = self.options()
        options.etag = etag  # only if nobody else has changed it meanwhile
        request = self.api.control.ConfigureModuleRequest(options=options, name=name, config_json=json.dumps(config))
        return self.control.ConfigureModule(request, timeout=self.timeout)

    def unload(self, name: str):
        request = self.api.control.UnloadModuleRequest(options=self.options(), name=name)
        return self.control.UnloadModule(request, timeout=self.timeout)

    def watch(self) -> Stream:
        return Stream(self.control.Watch(self.api.control.WatchRequest(kinds=[self.api.control.RESOURCE_KIND_MODULE])))

    def tail(self, name: str) -> Stream:
        return Stream(self.observe.Tail(self.api.observe.TailRequest(modules=[name])))

    def phase(self, module) -> str:
        return self.api.types.ModulePhase.Name(module.status.phase).removeprefix("MODULE_PHASE_").lower()


def say(text: str):
    # What was observed may hold anything; repr-like escapes keep it from moving the cursor.
    print(text.encode("unicode_escape").decode("ascii"), flush=True)


def print_phases(client: Client, watch: Stream, name: str):
    with contextlib.suppress(queue.Empty):
        while True:
            event = watch.next(timeout=0.2)
            if event.WhichOneof("event") == "module" and event.module.name == name:
                say(f"watch: {name} is {client.phase(event.module)}, generation {event.module.status.generation}")


def print_spans(tail: Stream, count: int, timeout: float) -> int:
    seen = 0
    while seen < count:
        try:
            response = tail.next(timeout)
        except queue.Empty:
            return seen
        if response.loss.lost:
            say(f"tail: {response.loss.lost} items lost, this script was too slow")
        for item in response.items[:count - seen]:
            span = json.loads(item.json)["span"]
            milliseconds = (int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"])) / 1e6
            say(f"span: {item.service} {span['name']} {milliseconds:.1f} ms")
            seen += 1
    return seen


def run(client: Client, arguments) -> int:
    say(f"probed {client.info().version}")
    watch = client.watch()
    watch.wait(arguments.timeout)
    loaded = client.load(arguments.module, {})
    say(f"loaded {arguments.module}: {client.phase(loaded.module)}")
    seen = 0
    try:
        tail = client.tail(arguments.module)
        tail.wait(arguments.timeout)
        changed = client.configure(arguments.module, json.loads(arguments.config), loaded.module.etag)
        receipt = changed.outcome.receipt
        say(f"configured: generation {receipt.old_generation} -> {receipt.new_generation}, "
            f"lost {receipt.lost}, doubled {receipt.doubled}")
        say(f"tailing {arguments.spans} spans")
        seen = print_spans(tail, arguments.spans, arguments.timeout)
        tail.close()
    finally:
        left = client.unload(arguments.module).left_behind
        say(f"unloaded {arguments.module}" + "".join(f"; left behind: {text}" for text in left))
    print_phases(client, watch, arguments.module)
    watch.close()
    return 0 if seen == arguments.spans and not left else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--socket", default="/run/probed/probed.sock")
    parser.add_argument("--proto", type=pathlib.Path, default=PROTO_FOLDER, help="folder with probed/v1/*.proto")
    parser.add_argument("--module", default="http")
    parser.add_argument("--config", default='{"ignored_paths": ["/healthz"]}', help="JSON for the second step")
    parser.add_argument("--spans", type=int, default=5, help="how many to wait for")
    parser.add_argument("--timeout", type=float, default=30.0, help="seconds for each step")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        api = Api(arguments.proto, pathlib.Path(folder))
        # The daemon does not look at the authority, but HTTP/2 wants one that is no path.
        options = [("grpc.default_authority", "localhost")]
        with grpc.insecure_channel(f"unix:{arguments.socket}", options=options) as channel:
            try:
                return run(Client(api, channel, arguments.timeout), arguments)
            except grpc.RpcError as error:
                print(explain(api, error), file=sys.stderr)
                return 1


if __name__ == "__main__":
    sys.exit(main())
