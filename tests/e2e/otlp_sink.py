# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""OTLP receivers that can misbehave on request: OTLP/HTTP (protobuf) and OTLP/gRPC.

A receiver is given a script, one step for each request; when the script is used up, everything is accepted:
    ("ok",)                         accept
    ("status", 503, {headers})      HTTP: answer so.  gRPC: ("status", "UNAVAILABLE", retry_ms or None)
    ("partial", rejected, message)  accept with partial success
    ("hang", seconds)               say nothing for so long, then close
    ("die",)                        HTTP: read half of the body and reset the connection
    ("half",)                       HTTP: send half of an answer and close
Only what was answered as accepted counts as delivered; span ids show what came twice.

Run as a program it prints what arrives: otlp_sink.py [--grpc] PORT.
"""

import http.server
import socket
import struct
import sys
import threading
import time

PARTIAL_SUCCESS_FIELD = 1
RESOURCE_SPANS_FIELD = SCOPE_SPANS_FIELD = 1
NESTED_FIELD = 2  # ResourceSpans.scope_spans, ScopeSpans.spans, Span.span_id all have number 2


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def fields(data):
    """(number, payload) of the length-delimited fields of a protobuf message; ValueError if it is malformed."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            _, at = varint(data, at)
        elif wire == 1:
            at += 8
        elif wire == 5:
            at += 4
        elif wire == 2:
            length, at = varint(data, at)
            if at + length > len(data):
                raise ValueError("a field goes past the end of its message")
            yield number, data[at:at + length]
            at += length
        else:
            raise ValueError(f"wire type {wire}")


def span_ids(export_request):
    """Ids of all spans of an ExportTraceServiceRequest."""
    return [field for number, resource_spans in fields(export_request) if number == RESOURCE_SPANS_FIELD
            for number, scope_spans in fields(resource_spans) if number == NESTED_FIELD
            for number, span in fields(scope_spans) if number == NESTED_FIELD
            for number, field in fields(span) if number == NESTED_FIELD]


def encode_varint(value):
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def partial_success(rejected, message):
    """An Export*ServiceResponse that refuses so many items."""
    text = message.encode()
    inner = b"\x08" + encode_varint(rejected) + b"\x12" + encode_varint(len(text)) + text
    return bytes([PARTIAL_SUCCESS_FIELD << 3 | 2]) + encode_varint(len(inner)) + inner


class Script:
    """What is to be done with each request, and what was received. Used by several threads."""

    def __init__(self, steps):
        self._steps = list(steps)
        self._lock = threading.Lock()
        self.delivered = []  # span ids, in order of acceptance
        self.requests = []   # (monotonic time, step, spans in it, headers)
        self.metrics = []    # bodies of ExportMetricsServiceRequests

    def next_step(self, body, headers):
        with self._lock:
            step = self._steps.pop(0) if self._steps else ("ok",)
            spans = len(span_ids(body)) if body is not None else 0
            self.requests.append((time.monotonic(), step[0], spans, dict(headers)))
            return step

    def deliver(self, body):
        with self._lock:
            self.delivered.extend(span_ids(body))


class HttpSink:
    """OTLP/HTTP with protobuf bodies on a port of 127.0.0.1 (0: any)."""

    def __init__(self, steps=(), port=0):
        self.script = Script(steps)
        script = self.script

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                length = int(self.headers["Content-Length"])
                if script._steps and script._steps[0][0] == "die":
                    self.rfile.read(length // 2)
                    script.next_step(None, self.headers)
                    self.reset()
                    return
                body = self.rfile.read(length)
                if self.path != "/v1/traces":
                    if self.path == "/v1/metrics":
                        script.metrics.append(body)
                    self.reply(200, {}, b"")
                    return
                step = script.next_step(body, self.headers)
                getattr(self, f"step_{step[0]}")(body, *step[1:])

            def step_ok(self, body):
                script.deliver(body)
                self.reply(200, {}, b"")

            def step_status(self, body, status, headers=None):
                self.reply(status, headers or {}, b"")

            def step_partial(self, body, rejected, message):
                script.deliver(body)
                self.reply(200, {}, partial_success(rejected, message))

            def step_hang(self, body, seconds):
                time.sleep(seconds)
                self.close_connection = True

            def step_half(self, body):
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
                self.reset()

            def reset(self):
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True

            def reply(self, status, headers, body):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class GrpcSink:
    """OTLP/gRPC without generated code: messages stay bytes. Needs Debian's python3-grpcio."""

    def __init__(self, steps=(), port=0):
        import concurrent.futures

        import grpc

        self.script = Script(steps)
        script = self.script

        def export(body, context):
            step = script.next_step(body, context.invocation_metadata())
            if step[0] == "status":
                if len(step) > 2 and step[2] is not None:
                    context.set_trailing_metadata((("grpc-status-details-bin", retry_info(step[1], step[2])),))
                context.abort(getattr(grpc.StatusCode, step[1]), "as scripted")
            if step[0] == "hang":
                time.sleep(step[1])
                context.abort(grpc.StatusCode.CANCELLED, "as scripted")
            script.deliver(body)
            return partial_success(*step[1:]) if step[0] == "partial" else b""

        def other(body, context):
            return b""

        def metrics(body, context):
            script.metrics.append(body)
            return b""

        def handlers(name, function):
            return grpc.method_handlers_generic_handler(
                f"opentelemetry.proto.collector.{name}", {"Export": grpc.unary_unary_rpc_method_handler(function)})

        self._server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
        self._server.add_generic_rpc_handlers((handlers("trace.v1.TraceService", export),
                                               handlers("metrics.v1.MetricsService", metrics),
                                               handlers("logs.v1.LogsService", other)))
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        self._server.start()

    def stop(self):
        self._server.stop(0).wait()


def retry_info(code, milliseconds):
    """google.rpc.Status with a RetryInfo, as it travels in grpc-status-details-bin."""
    import grpc
    from google.protobuf import any_pb2, duration_pb2

    delay = duration_pb2.Duration()
    delay.FromMilliseconds(milliseconds)
    inner = delay.SerializeToString()
    info = b"\x0a" + encode_varint(len(inner)) + inner
    detail = any_pb2.Any(type_url="type.googleapis.com/google.rpc.RetryInfo", value=info).SerializeToString()
    number = getattr(grpc.StatusCode, code).value[0]
    return b"\x08" + encode_varint(number) + b"\x1a" + encode_varint(len(detail)) + detail


def main():
    sink = (GrpcSink if "--grpc" in sys.argv else HttpSink)((), int(sys.argv[-1]))
    print(f"listening on 127.0.0.1:{sink.port}", flush=True)
    seen = 0
    while True:
        time.sleep(1)
        if len(sink.script.delivered) != seen:
            seen = len(sink.script.delivered)
            print(f"{seen} spans in {len(sink.script.requests)} requests", flush=True)


if __name__ == "__main__":
    main()
