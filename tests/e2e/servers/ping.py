# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""The line protocol of api/template: "PING word" is answered by "OK word", an empty word by "ERR". ping.py PORT"""

import socketserver
import sys


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            verb, _, word = line.decode().strip().partition(" ")
            good = verb == "PING" and word != "bad"
            self.wfile.write(f"OK {word}\n".encode() if good else b"ERR no such word\n")


socketserver.ThreadingTCPServer.allow_reuse_address = True
socketserver.ThreadingTCPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
