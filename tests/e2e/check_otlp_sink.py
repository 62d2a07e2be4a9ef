# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""The fault-injecting receivers do what their scripts say, so that a test of a sink tests the sink."""

import http.client
import time
import unittest

import grpc

from otlp_sink import GrpcSink, HttpSink, span_ids

# ExportTraceServiceRequest{resource_spans{scope_spans{spans{span_id} spans{span_id}}}}, built inside out.
SPAN_A, SPAN_B = b"\x12\x08aaaaaaaa", b"\x12\x08bbbbbbbb"
SCOPE = b"\x12" + bytes([len(SPAN_A)]) + SPAN_A + b"\x12" + bytes([len(SPAN_B)]) + SPAN_B
RESOURCE = b"\x12" + bytes([len(SCOPE)]) + SCOPE
BODY = b"\x0a" + bytes([len(RESOURCE)]) + RESOURCE


class HttpReceiver(unittest.TestCase):
    def post(self, sink, timeout=5):
        connection = http.client.HTTPConnection("127.0.0.1", sink.port, timeout=timeout)
        try:
            connection.request("POST", "/v1/traces", BODY, {"Content-Type": "application/x-protobuf"})
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def receiver(self, *steps):
        sink = HttpSink(steps)
        self.addCleanup(sink.stop)
        return sink

    def test_counts_spans(self):
        self.assertEqual(span_ids(BODY), [b"aaaaaaaa", b"bbbbbbbb"])
        with self.assertRaises(ValueError):
            span_ids(BODY[:-1])

    def test_accepts(self):
        sink = self.receiver()
        self.assertEqual(self.post(sink)[0], 200)
        self.assertEqual(sink.script.delivered, [b"aaaaaaaa", b"bbbbbbbb"])

    def test_script(self):
        steps = [("status", 503, {"Retry-After": "7"}), ("partial", 1, "no"), ("hang", 0.2), ("die",), ("half",)]
        sink = self.receiver(*steps)
        status, headers, _ = self.post(sink)
        self.assertEqual((status, headers["Retry-After"]), (503, "7"))
        self.assertEqual(sink.script.delivered, [])
        self.assertEqual(self.post(sink)[2], b"\x0a\x06\x08\x01\x12\x02no")
        with self.assertRaises((http.client.HTTPException, OSError)):
            self.post(sink)
        with self.assertRaises((http.client.HTTPException, OSError)):
            self.post(sink)
        with self.assertRaises((http.client.HTTPException, OSError)):
            self.post(sink)
        self.assertEqual(self.post(sink)[0], 200)
        self.assertEqual([request[1] for request in sink.script.requests], [step[0] for step in steps] + ["ok"])


class GrpcReceiver(unittest.TestCase):
    def test_script(self):
        sink = GrpcSink([("status", "UNAVAILABLE", 1500), ("partial", 2, "no")])
        self.addCleanup(sink.stop)
        with grpc.insecure_channel(f"127.0.0.1:{sink.port}") as channel:
            export = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
            with self.assertRaises(grpc.RpcError) as refused:
                export(BODY, timeout=5)
            self.assertEqual(refused.exception.code(), grpc.StatusCode.UNAVAILABLE)
            self.assertIn("grpc-status-details-bin", dict(refused.exception.trailing_metadata()))
            self.assertEqual(export(BODY, timeout=5), b"\x0a\x06\x08\x02\x12\x02no")
            began = time.monotonic()
            self.assertEqual(export(BODY, timeout=5), b"")
            self.assertLess(time.monotonic() - began, 1)
        self.assertEqual(len(sink.script.delivered), 4)


if __name__ == "__main__":
    unittest.main()
