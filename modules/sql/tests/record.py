#!/usr/bin/env python3
# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""A proxy that writes down what a client and a server say, as tests/conversations has it.

    record.py LISTEN_PORT SERVER_PORT > conversations/NAME.txt       until SIGINT or SIGTERM; one connection after the other
"""

import selectors
import signal
import socket
import sys


def escaped(data):
    return "".join("\\\\" if byte == 0x5C else chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}" for byte in data)


def record(client, server):
    poll = selectors.DefaultSelector()
    poll.register(client, selectors.EVENT_READ, (">", server))
    poll.register(server, selectors.EVENT_READ, ("<", client))
    while True:
        for key, _ in poll.select():
            mark, other = key.data
            data = key.fileobj.recv(1 << 20)
            if not data:
                return print("-", flush=True)
            print(mark, escaped(data), flush=True)
            other.sendall(data)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as listener:
        while True:
            client, _ = listener.accept()
            with client, socket.create_connection(("127.0.0.1", int(sys.argv[2]))) as server:
                record(client, server)


main()
