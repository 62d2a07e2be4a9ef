# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""The unmodified programs that are traced: servers on free ports, clients, load."""

import functools
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys

from harness import accepts, folder_of_file, free_port, wait_for

SERVERS = pathlib.Path(__file__).resolve().parent / "servers"
PYTHON = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable

NGINX_CONF = """
daemon off; master_process off; worker_processes 1;
pid {folder}/nginx.pid; error_log {folder}/nginx-error.log error;
events {{ worker_connections 4096; }}
http {{
  log_format line '$request_uri $status';
  access_log {folder}/access.log line;
  keepalive_requests 1000000000; sendfile on; default_type text/plain;
  client_max_body_size 200m;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  {upstream}
  server {{
    listen 127.0.0.1:{port} backlog=4096{listen};
    {tls}
    location / {{ return 200 "hello\\n"; }}
    location /files/ {{ root {folder}; }}
    {locations}
  }}
}}
"""


class Nginx:
    """One worker in the foreground; its access log is the other side of every count."""

    def __init__(self, case, upstream_port=None, upstream_keepalive=False, h2=False, tls=None, upstream_tls=False, tls_options=""):
        self.port = free_port()
        self.folder = case.folder / f"nginx-{self.port}"
        (self.folder / "files").mkdir(parents=True)
        self.folder.chmod(0o755)
        case.folder.chmod(0o755)
        self.access_log = self.folder / "access.log"
        upstream, locations = "", ""
        if upstream_port:
            keep = "keepalive 64;" if upstream_keepalive else ""
            upstream = f"upstream behind {{ server 127.0.0.1:{upstream_port}; {keep} }}"
            version = 'proxy_http_version 1.1; proxy_set_header Connection "";' if upstream_keepalive else ""
            host = f"proxy_set_header Host 127.0.0.1:{upstream_port};"
            locations = f"location /proxy/ {{ proxy_pass http{'s' if upstream_tls else ''}://behind; {host} {version} }}"
        config = self.folder / "nginx.conf"
        listen = (" ssl" if tls else "") + (" http2" if h2 else "")
        files = "ssl_certificate {}; ssl_certificate_key {};".format(*tls) + tls_options if tls else ""
        config.write_text(NGINX_CONF.format(folder=self.folder, port=self.port, upstream=upstream, locations=locations,
                                             listen=listen, tls=files))
        self.program = case.need("nginx")
        self.process = case.spawn([self.program, "-c", config, "-p", self.folder])
        wait_for("nginx to listen", lambda: accepts(self.port))

    def requests(self):
        with open(self.access_log, "rb") as log:
            return sum(1 for _ in log)

    def wait_requests(self, count):
        """nginx writes the line of a request after its response."""
        wait_for(f"{count} lines in nginx's access log", lambda: self.requests() >= count)
        assert self.requests() == count, f"{self.requests()} lines in nginx's access log instead of {count}"

    def file(self, name, size):
        with open(self.folder / "files" / name, "wb") as file:
            file.truncate(size)
        return f"/files/{name}"


def server(case, command, port, **options):
    process = case.spawn(command, **options)
    wait_for(f"{command[0]} to listen", lambda: accepts(port))
    return process


def python_server(case, **options):
    port = free_port()
    return port, server(case, [PYTHON, SERVERS / "server.py", port], port, **options)


def node_server(case):
    port = free_port()
    return port, server(case, [case.need("node"), SERVERS / "server.js", port], port)


def build_go(case, name, replace=None, flags=(), go=None):
    """Compiles servers/NAME.go with the standard library alone; nothing is downloaded. Each test has a copy."""
    go = go or case.need("go")
    source = (SERVERS / f"{name}.go").read_text()
    for old, new in (replace or {}).items():
        assert old in source
        source = source.replace(old, new)
    shutil.copy(built_go(go, name, source, tuple(flags)), case.folder / name)
    return case.folder / name


@functools.cache
def built_go(go, name, source, flags):
    folder = folder_of_file("probed-go.")
    (folder / f"{name}.go").write_text(source)
    environment = {**os.environ, "GOFLAGS": "", "GOPROXY": "off", "GOTOOLCHAIN": "local", "GO111MODULE": "off"}
    subprocess.run([go, "build", *flags, "-o", folder / name, folder / f"{name}.go"], check=True, env=environment,
                   capture_output=True)
    return folder / name


def go_server(case):
    port = free_port()
    program = build_go(case, "hello", {"127.0.0.1:8080": f"127.0.0.1:{port}"})
    return port, server(case, [program], port)


def build_c(case, name, *libraries):
    program = case.folder / name
    source = SERVERS / f"{name}.c"
    subprocess.run([case.need("gcc"), "-std=gnu11", "-O2", "-o", program, source, *libraries], check=True)
    return program


def splice_proxy(case, upstream_port):
    """A proxy whose process never holds the bytes, in front of a server."""
    port = free_port()
    return port, server(case, [build_c(case, "splice_proxy"), port, upstream_port], port)


def uring_server(case):
    port = free_port()
    server(case, [build_c(case, "uring_server", "-luring"), port], port)
    return port


def h2load(case, port, requests, connections, path="/load", rate=None):
    """Exactly so many HTTP/1.1 requests on keep-alive connections, at `rate` a second or as fast as it goes."""
    paced = ["--rps", str(rate / connections)] if rate else []
    done = subprocess.run([case.need("h2load"), "--h1", "-n", str(requests), "-c", str(connections), "-t", "1", *paced,
                           f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True, timeout=300)
    case.assertIn(f"{requests} succeeded, 0 failed", done.stdout, done.stdout + done.stderr)


def ab(case, port, requests, concurrency, path="/load"):
    """Exactly so many requests, each on a connection of its own."""
    done = subprocess.run([case.need("ab"), "-q", "-n", str(requests), "-c", str(concurrency),
                           f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True, timeout=300)
    case.assertRegex(done.stdout, rf"Complete requests:\s+{requests}\n", done.stdout + done.stderr)


def read_responses(connection, count):
    """Reads so many responses (with Content-Length) from a socket and returns the number of body bytes."""
    buffered, bodies = b"", 0
    for _ in range(count):
        while b"\r\n\r\n" not in buffered:
            buffered += received(connection)
        head, _, buffered = buffered.partition(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n")
                      if line.startswith(b"content-length:"))
        bodies += length
        while len(buffered) < length:
            length -= len(buffered)
            buffered = received(connection)
        buffered = buffered[length:]
    return bodies


def received(connection):
    data = connection.recv(1 << 20)
    if not data:
        raise AssertionError("the server closed the connection")
    return data


def connect(port):
    connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def grpc_server(case, *secrets):
    """Python's gRPC with a handler of every kind; over TLS with a certificate and a key."""
    port = free_port()
    return port, server(case, [PYTHON, SERVERS / "grpc_echo.py", "server", port, *secrets], port)


class GrpcClient:
    """A process of its own, told what to call."""

    def __init__(self, case, port, *secrets, command=(PYTHON, SERVERS / "grpc_echo.py")):
        self.process = subprocess.Popen(list(map(str, [*command, "client", port, *secrets])),
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        case.addCleanup(self.close)

    def ask(self, **command):
        """The name of the status the client saw."""
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()
