# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""dns_stream.py PORT: asks 127.0.0.1:PORT over one TCP connection. Each line of standard input is names, asked for in
one write; a number in front is the length of its first part, if it is to be in two. Every second message is read by its
length and then itself. A line of codes is printed when all are answered, "closed" when the server ends it."""

import socket
import struct
import sys
import time


def query(number, name):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    message = struct.pack(">6H", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", 1, 1)
    return struct.pack(">H", len(message)) + message


class Connection:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.asked = 0
        self.buffered = b""

    def send(self, names, first):
        data = b"".join(query(self.asked + index, name) for index, name in enumerate(names))
        self.asked += len(names)
        if first:
            self.socket.sendall(data[:first])
            time.sleep(0.002)  # so that the kernel does not join the parts on the other side
        self.socket.sendall(data[first:])

    def fill(self, size, room):
        while len(self.buffered) < size:
            data = self.socket.recv(room or size - len(self.buffered))
            if not data:
                raise EOFError
            self.buffered += data
        taken, self.buffered = self.buffered[:size], self.buffered[size:]
        return taken

    def take(self, room):
        """A message, in reads as large as `room`, or as what is missing."""
        (size,) = struct.unpack(">H", self.fill(2, room))
        return self.fill(size, room)

    def codes(self, count):
        return [self.take(65536 if index % 2 else 0)[3] & 0xf for index in range(count)]


def main():
    connection = Connection(int(sys.argv[1]))
    print("connected", flush=True)
    for line in sys.stdin:
        words = line.split()
        first = int(words.pop(0)) if words[0].isdigit() else 0
        try:
            connection.send(words, first)
            print(*connection.codes(len(words)), flush=True)
        except (EOFError, ConnectionError):
            print("closed", flush=True)
            return


main()
