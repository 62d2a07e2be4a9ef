# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""Both ends of a connection that say exactly what a script tells them, in the calls that it names.

A script is a list of steps, each said by one end and read by the other: client("GET …"), server("HTTP/1.1 …"). `how` is
how it is sent (SENDING), `read` how it is read (READING); `pause` waits before, so that the reader got all that came
earlier. bye(end) closes, reset(end) breaks the connection off. Both ends know the whole script, so each knows how many
bytes to wait for.

Run as a program it is the server, in a process of its own: raw_peer.py PORT SCRIPTS, where connection n plays script n
of the JSON file.
"""

import contextlib
import json
import os
import socket
import struct
import sys
import time

CLIENT, SERVER = "client", "server"
PAUSE = 0.02
PIECES = 7


def client(text, **how):
    return {"by": CLIENT, "text": text, **how}


def server(text, **how):
    return {"by": SERVER, "text": text, **how}


def bye(end):
    return {"by": end, "do": "close"}


def reset(end):
    return {"by": end, "do": "reset"}


# --- how bytes are sent: each takes all of them -----------------------------------------------------------------------


def split(data, count):
    step = -(-len(data) // count)
    return [data[at:at + step] for at in range(0, len(data), step)]


def send_apart(connection, data):
    for piece in split(data, PIECES):
        connection.sendall(piece)
        time.sleep(0.002)


def send_vector(call):
    """Sends by a call that takes a list of buffers, and what was left over by another such call."""
    def send(connection, data):
        while data:
            data = data[call(connection, split(data, PIECES)):]
    return send


def send_more(connection, data):
    for piece in split(data, PIECES)[:-1]:
        connection.send(piece, socket.MSG_MORE)
    connection.sendall(split(data, PIECES)[-1])


SENDING = {
    "sendall": lambda connection, data: connection.sendall(data),
    "apart": send_apart,
    "more": send_more,
    "writev": send_vector(lambda connection, pieces: os.writev(connection.fileno(), pieces)),
    "pwritev2": send_vector(lambda connection, pieces: os.pwritev(connection.fileno(), pieces, -1, os.RWF_DSYNC)),
    "sendmsg": send_vector(lambda connection, pieces: connection.sendmsg(pieces)),
}

# --- how bytes are read: each gives some ------------------------------------------------------------------------------


def peek_first(connection, wanted):
    connection.recv(65536, socket.MSG_PEEK)
    connection.recv(3, socket.MSG_PEEK)
    return connection.recv(65536)


def read_vector(call):
    def read(connection, wanted):
        buffers = [bytearray(11), bytearray(200), bytearray(70000)]
        size = call(connection.fileno(), buffers)
        return b"".join(buffers)[:size]
    return read


READING = {
    "recv": lambda connection, wanted: connection.recv(65536),
    "peek": peek_first,
    "few": lambda connection, wanted: connection.recv(7),
    "all": lambda connection, wanted: connection.recv(wanted, socket.MSG_WAITALL),
    "readv": read_vector(os.readv),
    "preadv2": read_vector(lambda fd, buffers: os.preadv(fd, buffers, -1, os.RWF_HIPRI)),
    # The kernel throws the bytes away: what the buffer holds is something else.
    "discard": lambda connection, wanted: b"?" * connection.recv_into(stale(wanted), wanted, socket.MSG_TRUNC),
}


def stale(size):
    """A buffer that looks as if something had been received."""
    return bytearray(b"GET /stale HTTP/1.1\r\nHost: stale\r\n\r\n" * (size // 16 + 1))


class Player:
    def __init__(self, connection, end):
        self._connection, self._end = connection, end
        self._early = b""  # read together with what was wanted
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(None)  # else the calls that take a descriptor do not wait

    def play(self, steps):
        with contextlib.suppress(ConnectionError):
            for step in steps:
                if step["by"] == self._end:
                    self._say(step)
                elif "text" in step:
                    self._hear(step)
                else:
                    self._connection.recv(1)
                    break
        self._connection.close()

    def _say(self, step):
        if step.get("pause"):
            time.sleep(PAUSE)
        if "text" in step:
            SENDING[step.get("how", "sendall")](self._connection, step["text"].encode("latin-1"))
            return
        if step["do"] == "reset":
            self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._connection.close()

    def _hear(self, step):
        missing = len(step["text"].encode("latin-1")) - len(self._early)
        while missing > 0:
            data = READING[step.get("read", "recv")](self._connection, missing)
            if not data:
                raise ConnectionError("closed by the other end")
            missing -= len(data)
        self._early = b"?" * -missing


def main():
    with open(sys.argv[2], encoding="utf-8") as file:
        scripts = json.load(file)
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
    listener.accept()[0].close()  # whoever looked whether it listens
    for script in scripts:
        Player(listener.accept()[0], SERVER).play(script)


if __name__ == "__main__":
    main()
