# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""HTTPS by asyncio, which encrypts in memory: "serve PORT CERTIFICATE KEY", or "get PORT NAME CERTIFICATE COUNT", which
asks for the pages /number/0 to /number/COUNT-1 on one connection and prints how many came."""

import asyncio
import ssl
import sys


async def answer(reader, writer):
    while request := await reader.readuntil(b"\r\n\r\n"):
        body = request.split(b" ")[1] + b"\n"
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()


async def serve(port, certificate, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = await asyncio.start_server(answer, "127.0.0.1", int(port), ssl=context)
    await server.serve_forever()


async def get(port, name, certificate, count):
    context = ssl.create_default_context(cafile=certificate)
    reader, writer = await asyncio.open_connection("127.0.0.1", int(port), ssl=context, server_hostname=name)
    came = 0
    for number in range(int(count)):
        path = b"/number/%d" % number
        writer.write(b"GET %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (path, name.encode()))
        head = await reader.readuntil(b"\r\n\r\n")
        came += head.startswith(b"HTTP/1.1 200") and await reader.readline() == path + b"\n"
    writer.close()
    print(came)


asyncio.run({"serve": serve, "get": get}[sys.argv[1]](*sys.argv[2:]))
