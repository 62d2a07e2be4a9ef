# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""shop.py PORT GRPC_PORT shared|own: for each GET of /N a query and a call that name N too, from the thread that answers. The
database is the environment's. All threads share a gRPC channel, or each has its own."""

import http.server
import sys
import threading

import grpc
import psycopg2

KEPT = threading.local()


def channel():
    """Of its own: else the library gives all channels to an address one connection."""
    return grpc.insecure_channel(f"127.0.0.1:{sys.argv[2]}", options=[("grpc.use_local_subchannel_pool", 1)])


class Shop(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        number = int(self.path.rpartition("/")[2])
        if not hasattr(KEPT, "database"):
            KEPT.database = psycopg2.connect("")
            KEPT.database.autocommit = True
            KEPT.channel = self.server.channel or channel()
        with KEPT.database.cursor() as cursor:
            cursor.execute(f"select title as r{number} from song where id = 1")
            body = cursor.fetchone()[0].encode()
        try:
            KEPT.channel.unary_unary(f"/test.Echo/R{number}")(b"", timeout=20)
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.UNIMPLEMENTED:
                raise
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


if __name__ == "__main__":
    server = Server(("127.0.0.1", int(sys.argv[1])), Shop)
    server.channel = channel() if sys.argv[3] == "shared" else None
    server.serve_forever()
