# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""grpc_echo.py server PORT [CERTIFICATE KEY] | client PORT [CERTIFICATE]: methods of every kind over bytes, without
generated code; with a certificate (for shop.test) over TLS.

The client reads commands, one JSON object a line ({"call": NAME, ...}), and answers each with a line: the status name.
"""

import json
import sys
import threading
import time
from concurrent import futures

import grpc

OPTIONS = [("grpc.max_receive_message_length", 64 << 20), ("grpc.max_send_message_length", 64 << 20)]
SERVICE = "test.Echo"


def same(data):
    return data


class Service(grpc.GenericRpcHandler):
    def service(self, details):
        handlers = {
            "Say": grpc.unary_unary_rpc_method_handler(self.say),
            "Slow": grpc.unary_unary_rpc_method_handler(self.slow),
            "Fail": grpc.unary_unary_rpc_method_handler(self.fail),
            "Count": grpc.unary_stream_rpc_method_handler(self.count),
            "Sum": grpc.stream_unary_rpc_method_handler(self.sum),
            "Chat": grpc.stream_stream_rpc_method_handler(self.chat),
        }
        _, service, method = details.method.split("/")
        return handlers.get(method) if service == SERVICE else None

    def say(self, request, context):
        return request

    def slow(self, request, context):
        time.sleep(float(request))
        return b""

    def fail(self, request, context):
        context.abort(grpc.StatusCode[request.decode()], "as asked")

    def count(self, request, context):
        for number in range(int(request)):
            yield str(number).encode()

    def sum(self, requests, context):
        return str(sum(len(one) for one in requests)).encode()

    def chat(self, requests, context):
        for one in requests:
            yield one


def contents(path):
    with open(path, "rb") as file:
        return file.read()


def serve(port, certificate=None, key=None):
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8), handlers=[Service()], options=OPTIONS)
    address = f"127.0.0.1:{port}"
    if certificate:
        secrets = grpc.ssl_server_credentials([(contents(key), contents(certificate))])
        assert server.add_secure_port(address, secrets) == port
    else:
        assert server.add_insecure_port(address) == port
    server.start()
    threading.Event().wait()


class Client:
    def __init__(self, port, certificate=None):
        self.address = f"127.0.0.1:{port}"
        if certificate:
            self.channel = grpc.secure_channel(self.address, grpc.ssl_channel_credentials(contents(certificate)),
                                               options=[*OPTIONS, ("grpc.ssl_target_name_override", "shop.test")])
        else:
            self.channel = grpc.insecure_channel(self.address, options=OPTIONS)

    def method(self, kind, name):
        return getattr(self.channel, kind)(f"/{SERVICE}/{name}")

    def unary(self, name, data=b"hello", **options):
        return self.method("unary_unary", name)(data, **options)

    def run(self, command):
        call = command["call"]
        metadata = [tuple(pair) for pair in command.get("metadata", [])] or None
        if call == "say":
            size = command.get("size", 5)
            for _ in range(command.get("times", 1)):
                assert len(self.unary("Say", b"x" * size, metadata=metadata, timeout=60)) == size
        elif call == "connections":
            for _ in range(command["times"]):
                options = [*OPTIONS, ("grpc.use_local_subchannel_pool", 1)]
                with grpc.insecure_channel(self.address, options=options) as channel:
                    assert channel.unary_unary(f"/{SERVICE}/Say")(b"hello", timeout=60) == b"hello"
        elif call == "fail":
            self.unary("Fail", command["status"].encode())
        elif call == "missing":
            self.unary("Nothing")
        elif call == "deadline":
            self.unary("Slow", b"5", timeout=command["seconds"])
        elif call == "cancel":
            future = self.method("unary_unary", "Slow").future(b"5")
            time.sleep(command["seconds"])
            future.cancel()
            future.result()
        elif call == "count":
            assert len(list(self.method("unary_stream", "Count")(str(command["messages"]).encode()))) == command["messages"]
        elif call == "sum":
            self.method("stream_unary", "Sum")(iter([b"abc"] * command["messages"]))
        elif call == "chat":
            answers = self.method("stream_stream", "Chat")(iter([b"abc"] * command["messages"]))
            assert len(list(answers)) == command["messages"]
        else:
            raise ValueError(call)


def ask(port, *files):
    client = Client(port, *files)
    for line in sys.stdin:
        status = "OK"
        try:
            client.run(json.loads(line))
        except grpc.RpcError as error:
            status = error.code().name
        except grpc.FutureCancelledError:
            status = "CANCELLED"
        print(status, flush=True)


if __name__ == "__main__":
    {"server": serve, "client": ask}[sys.argv[1]](int(sys.argv[2]), *sys.argv[3:])
