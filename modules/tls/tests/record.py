#!/usr/bin/env python3
# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""Records the conversations beside it: openssl s_client and s_server through a proxy that notes who sent which bytes.

    record.py conversations/

Each file has a line per read of the proxy: `>` from the client, `<` from the server, then the bytes in hexadecimal.
Needs OpenSSL 3. The keys are made anew and thrown away; the certificate is always valid from 2026 to 2036.
"""

import pathlib
import selectors
import socket
import subprocess
import sys
import tempfile
import threading
import time

NAME = "shop.example"
CA = """[ca]
default_ca = one
[one]
new_certs_dir = {0}
database = {0}/index
serial = {0}/serial
default_md = sha256
policy = any
[any]
countryName = optional
organizationName = optional
commonName = optional
"""
# name: (arguments of the server, of the client, of the client's runs before it)
CASES = {
    "tls13": (["-tls1_3", "-alpn", "http/1.1"], ["-tls1_3", "-servername", NAME, "-alpn", "http/1.1"], []),
    "tls13_resumed": (["-tls1_3"], ["-tls1_3", "-servername", NAME, "-sess_in", "session"],
                      ["-tls1_3", "-servername", NAME, "-sess_out", "session"]),
    "tls13_early_data": (["-tls1_3", "-early_data"],
                         ["-tls1_3", "-servername", NAME, "-sess_in", "session", "-early_data", "early"],
                         ["-tls1_3", "-servername", NAME, "-sess_out", "session"]),
    "tls13_hello_retry": (["-tls1_3", "-groups", "P-384"],
                          ["-tls1_3", "-servername", NAME, "-groups", "X25519:P-384"], []),
    "tls13_unknown_ca": (["-tls1_3"], ["-tls1_3", "-servername", NAME, "-verify_return_error"], []),
    "tls13_no_name": (["-tls1_3"], ["-tls1_3", "-noservername"], []),
    "tls12": (["-tls1_2", "-alpn", "h2,http/1.1"], ["-tls1_2", "-servername", NAME, "-alpn", "http/1.1"], []),
    "tls12_static_rsa": (["-tls1_2"], ["-tls1_2", "-servername", NAME, "-cipher", "AES128-SHA256:@SECLEVEL=0"], []),
    "tls12_dhe": (["-tls1_2"], ["-tls1_2", "-servername", NAME, "-cipher", "DHE-RSA-AES256-GCM-SHA384"], []),
    "tls12_ticket": (["-tls1_2"], ["-tls1_2", "-servername", NAME, "-sess_in", "session"],
                     ["-tls1_2", "-servername", NAME, "-sess_out", "session"]),
    "tls12_session_id": (["-tls1_2", "-no_ticket"], ["-tls1_2", "-servername", NAME, "-sess_in", "session"],
                         ["-tls1_2", "-servername", NAME, "-sess_out", "session"]),
    "tls12_client_certificate": (["-tls1_2", "-Verify", "1"],
                                 ["-tls1_2", "-servername", NAME, "-cert", "cert.pem", "-key", "key.pem"], []),
    "tls12_unknown_ca": (["-tls1_2"], ["-tls1_2", "-servername", NAME, "-verify_return_error"], []),
    "tls10": (["-tls1", "-cipher", "ALL:@SECLEVEL=0"],
              ["-tls1", "-servername", NAME, "-cipher", "ALL:@SECLEVEL=0"], []),
    "no_shared_version": (["-tls1_3"], ["-tls1_2", "-servername", NAME], []),
    "no_shared_cipher": (["-tls1_2", "-cipher", "ECDHE-RSA-AES256-GCM-SHA384"],
                         ["-tls1_2", "-servername", NAME, "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"], []),
}


def make_certificate(folder):
    def run(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)
    (folder / "index").touch()
    (folder / "serial").write_text("01\n")
    (folder / "ca.conf").write_text(CA.format(folder))
    run("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "csr.pem", "-subj",
        f"/C=DE/O=Shop, Inc./CN={NAME}")
    run("ca", "-batch", "-selfsign", "-config", "ca.conf", "-in", "csr.pem", "-keyfile", "key.pem", "-out", "cert.pem",
        "-startdate", "20260101000000Z", "-enddate", "20360101000000Z", "-notext")


def relay(listener, upstream, lines):
    """One connection; both ends see the other close."""
    client, _ = listener.accept()
    server = socket.create_connection(("127.0.0.1", upstream))
    selector = selectors.DefaultSelector()
    for near, far, mark in ((client, server, ">"), (server, client, "<")):
        selector.register(near, selectors.EVENT_READ, (far, mark))
    while selector.get_map():
        for key, _ in selector.select():
            far, mark = key.data
            try:
                data = key.fileobj.recv(65536)
            except ConnectionResetError:
                data = b""
            if data:
                lines.append(f"{mark} {data.hex()}\n")
                try:
                    far.sendall(data)
                except (BrokenPipeError, ConnectionResetError):
                    pass
                continue
            selector.unregister(key.fileobj)
            try:
                far.shutdown(socket.SHUT_WR)
            except OSError:
                pass
    client.close()
    server.close()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def talk(folder, port, arguments):
    process = subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *arguments], cwd=folder,
                               stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(0.5)
    try:
        process.stdin.write(b"hello\n")
        process.stdin.flush()
        time.sleep(0.3)
        process.stdin.close()
    except BrokenPipeError:
        pass
    process.wait(10)


def record(folder, server, client, before):
    port = free_port()
    process = subprocess.Popen(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", "cert.pem", "-key",
                                "key.pem", "-quiet", *server], cwd=folder, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(0.3)
    if before:
        talk(folder, port, before)
    lines = []
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=relay, args=(listener, port, lines), daemon=True)
    thread.start()
    talk(folder, listener.getsockname()[1], client)
    thread.join(10)
    listener.close()
    process.terminate()
    process.wait()
    return lines


def main():
    out = pathlib.Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        make_certificate(folder)
        (folder / "early").write_text("early data\n")
        for case, (server, client, before) in CASES.items():
            (folder / "session").unlink(missing_ok=True)
            lines = record(folder, server, client, before)
            print(case, len(lines), sum(map(len, lines)))
            (out / case).write_text("".join(lines))


if __name__ == "__main__":
    main()
