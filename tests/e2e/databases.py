# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""Databases to be asked, and what a case of the sql module needs around them."""

import collections
import functools
import glob
import os
import pathlib
import pwd
import shutil
import signal
import statistics
import subprocess
import time

from harness import FULL, LiveCase, accepts, folder_of_file, free_port, strangers, wait_for
from spans import CLIENT, SERVER

HELD = 2000  # statements
OVER_TLS = 1000 if FULL else 300
CONNECTIONS = 100 if FULL else 50
DELAYED = 100 if FULL else 40
SETUP = """
create role tester login;
create database shop owner tester;
\\connect shop tester
create table song (id int primary key, title text);
insert into song select i, 'title ' || i from generate_series(1, 1000) i;
create table plays (song int, at timestamptz default now());
"""


class Asker:
    """A client that is told what to ask, on one connection; an answer is a line."""

    def __init__(self, case, command, **options):
        self.process = subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        **options)
        case.addCleanup(self.process.stdout.close)
        case.addCleanup(self.process.wait)
        case.addCleanup(self.process.stdin.close)

    def ask(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()


class SqlModuleCase(LiveCase):
    def module_daemon(self, server, *config, servers=False, both=False, **options):
        """Looks at the clients, or at the servers, or at both, of the database at self.port only."""
        if both:
            targets = [{"name": "both", "ports": [self.port]}]
        elif servers:
            targets = [{"name": "servers", "exe": [server]}]
        else:
            targets = [{"name": "clients", "ports": [self.port]}, {"name": "no_servers", "exclude": True, "exe": [server]}]
        daemon = self.start_daemon(targets=[*targets, strangers()], **options)
        daemon.load("sql", *config)
        return daemon

    def assert_nothing_lost(self, daemon):
        self.assertEqual(daemon.losses(), {})
        self.assertTrue(daemon.ctl_json("ledger")["closes"])

    def expect_lost_records(self, start_daemon, asker):
        """While the daemon is held its ring runs full: each statement is a span, or counted, or records of it are counted as
        lost. What comes then on the same connection is right."""
        daemon = start_daemon(daemon={"ring_bytes": "64KiB"})

        def ask(column, count):
            for _ in range(count):
                self.assertNotEqual(asker.ask(f"select {column} from song where id = 7;"), "")

        ask("title", 100)
        daemon.wait_spans(100, name="select song")
        with daemon.held():
            ask("title", HELD)
        daemon.counters()  # which are read when all that is in the ring was
        ask("id", 1)  # a hole is known by what comes behind it
        wait_for("the hole", lambda: daemon.losses().get(("module:sql", "ring_full"), 0))
        ask("id", 100)
        found = daemon.wait_spans(200, settle=1.0)
        lost = {name: count for (scope, name), count in daemon.losses().items() if scope == "module:sql"}
        print(f"{self.id()}: {len(found)} spans, {lost}")
        # Of a CPU that has no record behind its lost ones no gap is known yet.
        self.assertEqual(set(lost) - {"aborted.gap", "undecodable.gap", "sequence_gaps"}, {"ring_full"})
        # Two records a statement, and all of the hole one after the other: at each end of it one may have lost one of its two.
        self.assertLessEqual(lost.get("aborted.gap", 0), 2)
        wholly = 100 + HELD + 101 - len(found) - lost.get("aborted.gap", 0)
        self.assertLessEqual(abs(lost["ring_full"] - 2 * wholly), 2)
        texts = [span.attributes["db.query.text"].rstrip(";") for span in found]
        self.assertEqual(set(texts), {f"select {column} from song where id = ?" for column in ("id", "title")})
        self.assertEqual(texts[-100:], ["select id from song where id = ?"] * 100)
        self.assertEqual({span.attributes.get("error.type") for span in found}, {None})
        self.assertLess(max(span.milliseconds for span in found[-100:]), 1000)
        self.assertTrue(daemon.ctl_json("ledger")["closes"])

    def expect_each_over_tls(self, start_daemon, clear, encrypted):
        """Askers by two functions. The one in the clear has the client's libraries probed before the other one starts."""
        clear().ask("select 1;")
        daemon = start_daemon()
        daemon.load("tls")
        asker = encrypted()
        for number in range(1, OVER_TLS + 1):
            self.assertEqual(asker.ask(f"select title from song where id = {number};"), f"title {number}\n")
        found = daemon.wait_spans(OVER_TLS, settle=0.5, name="select song")
        self.assertEqual(len(found), OVER_TLS)
        self.assertEqual({span.attributes["db.query.text"].rstrip(";") for span in found},
                         {"select title from song where id = ?"})
        self.assertEqual({span.attributes["db.namespace"] for span in found}, {"shop"})
        self.assertEqual(daemon.counters().get(("module:tls", "unbound"), 0), 0)
        self.assert_nothing_lost(daemon)

    def expect_handshakes(self, start_daemon, connect, per_call=1):
        """Every connection that asks for TLS inside the protocol has its handshake seen at both ends."""
        connect()
        daemon = start_daemon("--set", "server_spans=true", both=True)
        daemon.load("tls")
        for _ in range(CONNECTIONS // per_call):
            connect()
        found = daemon.wait_spans(2 * CONNECTIONS, seconds=60, settle=1.0, scope="probed.tls")
        self.assertEqual(collections.Counter(span.name.rpartition(" handshake")[0] or span.name for span in found),
                         {"TLS client": CONNECTIONS, "TLS server": CONNECTIONS})
        self.assertEqual({span.attributes.get("error.type") for span in found}, {None})
        self.assert_nothing_lost(daemon)

    def expect_each_connection(self, start_daemon, command, server_says_read=True):
        """A client that connects for each statement, over TLS: both ends have of every connection its handshake and its
        statement, and nothing of them is said of another process."""
        daemon = start_daemon("--set", "server_spans=true", "--set", "query_parameters=true", both=True)
        daemon.load("tls")
        client = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertNotEqual(client.communicate(timeout=120)[0], "", "the client printed no error code")
        self.assertEqual(client.returncode, 0)
        self.assertEqual(len(daemon.wait_spans(4 * CONNECTIONS, seconds=60, settle=1.0)), 4 * CONNECTIONS)
        for kind, end_name, says_read in ((CLIENT, "TLS client", True), (SERVER, "TLS server", server_says_read)):
            handshakes = [span for span in daemon.spans(scope="probed.tls") if span.name.startswith(end_name)]
            self.assertEqual(len(handshakes), CONNECTIONS, end_name)
            self.assertEqual({span.attributes["probed.tls.plaintext_read"] for span in handshakes}, {says_read}, end_name)
            asked = daemon.spans(scope="probed.sql", kind=kind)
            self.assert_numbered(asked)
            of_client = {span.resource["process.pid"] == client.pid for span in handshakes + asked}
            self.assertEqual(of_client, {kind == CLIENT}, end_name)
        self.assertEqual(daemon.counters().get(("module:tls", "unbound"), 0), 0)
        self.assert_nothing_lost(daemon)

    def assert_numbered(self, asked):
        """Each number was asked for once, and at the end there was the statement that fails."""
        self.assertEqual(collections.Counter(span.name for span in asked), {"select song": CONNECTIONS - 1, "insert song": 1})
        numbers = [int(span.attributes["db.query.parameter.0"]) for span in asked if span.name == "select song"]
        self.assertEqual(sorted(numbers), list(range(1, CONNECTIONS)))
        self.assertEqual({span.attributes["db.namespace"] for span in asked}, {"shop"})

    def expect_delay(self, daemon, ask):
        """Both ends of DELAYED statements that take 50 ms, asked one after the other: all of them together last no
        longer than the client ran. One that is kept from the end of its send begins later than its server: that is
        rare."""
        began = time.monotonic()
        ask()
        milliseconds = (time.monotonic() - began) * 1000
        for kind in (CLIENT, SERVER):
            found = daemon.wait_spans(DELAYED, settle=0.5, kind=kind, name="select")
            self.assertEqual(len(found), DELAYED)
            self.assertLess(sum(span.milliseconds for span in found), milliseconds)
            median = statistics.median(span.milliseconds for span in found)
            print(f"{self.id()}: median of {DELAYED} statements of 50 ms: {median:.2f} ms")
            shorter = [span.milliseconds for span in found if span.milliseconds < 50]
            self.assertLessEqual(len(shorter), DELAYED // 20, shorter)
        self.assert_nothing_lost(daemon)


SETTINGS = ("listen_addresses=127.0.0.1", "fsync=off", "max_connections=40", "shared_buffers=16MB")


def postgres_command(server, data, port, *options):
    settings = [f"port={port}", f"unix_socket_directories={data}", *SETTINGS, *options]
    return [server, "-D", data, *(part for one in settings for part in ("-c", one))]


def postgres_user(data):
    user = pwd.getpwnam("postgres")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [], "cwd": data}


@functools.cache
def postgres_data(server, initdb, psql):
    """A database with SETUP in it, made once: each test has a copy, which takes a tenth of the time."""
    folder = folder_of_file("probed-postgres.")
    folder.chmod(0o755)
    data = folder / "data"
    data.mkdir(mode=0o700)
    shutil.chown(data, "postgres", "postgres")
    as_user = postgres_user(data)
    subprocess.run([initdb, "-D", data, "-A", "trust", "-N"], check=True, capture_output=True, **as_user)
    port = free_port()
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(list(map(str, postgres_command(server, data, port))), stdin=subprocess.DEVNULL,
                                   stdout=log, stderr=log, **as_user)
    try:
        environment = {"PATH": os.environ["PATH"], "PGHOST": "127.0.0.1", "PGPORT": str(port), "PGUSER": "postgres",
                       "PGDATABASE": "postgres"}

        def asked(text):
            return subprocess.run([psql, "-X", "-q", "-v", "ON_ERROR_STOP=1"], input=text, capture_output=True,
                                  text=True, timeout=60, env=environment)
        wait_for("the database", lambda: accepts(port) and asked("select 1").returncode == 0)
        done = asked(SETUP)
        if done.returncode != 0:
            raise AssertionError(done.stderr)
    finally:
        process.send_signal(signal.SIGINT)  # ends it in good order, so that a copy need not recover
        process.wait(60)
    return data


class SqlCase(SqlModuleCase):
    """A PostgreSQL of its own: Debian's programs, data in the test's folder, without passwords."""

    def postgres_program(self, name):
        found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"))
        if not found:
            print(f"SKIPPED: {self.id()}: {name} is not installed")
            self.skipTest(f"{name} is not installed")
        return found[-1]

    def postgres(self, *options):
        server = self.postgres_program("postgres")
        made = postgres_data(server, self.postgres_program("initdb"), self.postgres_program("psql"))
        self.folder.chmod(0o755)
        self.data = self.folder / "postgres"
        subprocess.run(["cp", "-a", made, self.data], check=True)
        self.port = free_port()
        self.server = self.spawn(postgres_command(server, self.data, self.port, *options), **postgres_user(self.data))
        wait_for("the database", lambda: accepts(self.port) and self.psql_admin("select 1").returncode == 0)
        return self.server

    def turn_on_tls(self):
        key, cert = self.data / "server.key", self.data / "server.crt"
        subprocess.run([self.need("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=shop",
                        "-keyout", key, "-out", cert], check=True, capture_output=True)
        user = pwd.getpwnam("postgres")
        os.chown(key, user.pw_uid, user.pw_gid)
        key.chmod(0o600)
        self.assertEqual(self.psql_admin("alter system set ssl = on").returncode, 0)
        self.assertEqual(self.psql_admin("select pg_reload_conf()").returncode, 0)
        wait_for("TLS", lambda: self.psql("select 1", PGSSLMODE="require").returncode == 0)

    def psql_admin(self, text):
        command = [self.postgres_program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", "postgres"]
        return subprocess.run(command, input=text, capture_output=True, text=True, timeout=60,
                              env=self.environment(user="postgres"))

    def environment(self, user="tester", host="127.0.0.1", **more):
        return {"PATH": os.environ["PATH"], "PGHOST": str(host), "PGPORT": str(self.port), "PGUSER": user,
                "PGDATABASE": "shop", **more}

    def run_client(self, command, **more):
        return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300,
                              env=self.environment(**more))

    def psql(self, *statements, **more):
        parts = [part for one in statements for part in ("-c", one)]
        return self.run_client([self.postgres_program("psql"), "-X", "-q", "-A", "-t", *parts], **more)

    def pgbench(self, mode, script, transactions, clients=1, *options):
        path = pathlib.Path(self.folder / "script.sql")
        path.write_text(script)
        done = self.run_client([self.postgres_program("pgbench"), "-n", "-M", mode, "-f", path, "-c", clients,
                                "-t", transactions // clients, *options])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"{transactions}/{transactions}", done.stdout)
        return done

    def sql_daemon(self, *config, **options):
        return self.module_daemon(os.path.realpath(self.postgres_program("postgres")), *config, **options)

    def asker(self, **more):
        return Asker(self, [self.postgres_program("psql"), "-X", "-q", "-A", "-t"], env=self.environment(**more))
