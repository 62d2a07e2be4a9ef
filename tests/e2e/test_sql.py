# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""Statements of unmodified clients at an unmodified PostgreSQL."""

import collections
import os
import re
import subprocess
import textwrap
import unittest

import peers
from databases import DELAYED, SqlCase
from harness import FULL, wait_for
from spans import CLIENT, SERVER
from under_load import Overflow, UnderLoad

LOOK_UP = "\\set id random(1, 1000)\nselect title from song where id = :id;\n"
EXACT = 10_000 if FULL else 4000


class Postgres(SqlCase):
    def test_psql(self):
        self.postgres()
        daemon = self.sql_daemon("--set", "returned_rows=true")
        done = self.psql("select title from song where id in (1, 2)", "select nothing from song",
                         "insert into plays (song) values (7)", "begin; delete from plays; rollback")
        self.assertEqual(done.stdout.split("\n")[:2], ["title 1", "title 2"])
        found = daemon.wait_spans(4, settle=0.5)
        self.assertEqual([(span.kind, span.name, span.attributes.get("error.type")) for span in found],
                         [(CLIENT, "select song", None), (CLIENT, "select song", "42703"),
                          (CLIENT, "insert plays", None), (CLIENT, "BATCH", None)])
        first = found[0]
        self.assertEqual(first.attributes, {
            "db.system.name": "postgresql", "db.namespace": "shop", "db.query.summary": "select song",
            "db.query.text": "select title from song where id in (?, ?)", "db.response.returned_rows": 2,
            "server.address": "127.0.0.1", "server.port": self.port})
        self.assertEqual(found[1].attributes["db.response.status_code"], "42703")
        self.assertEqual(found[1].status["code"], 2)
        self.assert_nothing_lost(daemon)

    def test_schema_and_batches(self):
        self.postgres()
        daemon = self.sql_daemon()
        done = self.psql("select 1", "set search_path to \"$user\"", "select 2", "set search_path to pg_catalog, public", "select 3",
                         "begin", "set search_path to other", "select 4", "rollback", "select 5", "reset search_path", "select 6",
                         "insert into plays (song) values (1); insert into plays (song) values (2)",
                         PGOPTIONS="-c search_path=public,pg_catalog")
        self.assertEqual(done.stdout.split(), list("123456"), done.stderr)
        found = daemon.wait_spans(13, settle=0.5)
        self.assertEqual([span.attributes["db.namespace"] for span in found if span.name == "select"],
                         ["shop|public", "shop", "shop|pg_catalog", "shop|other", "shop|pg_catalog", "shop|public"])
        self.assertEqual((found[-1].name, found[-1].attributes["db.operation.batch.size"]), ("BATCH insert plays", 2))
        self.assertEqual({span.attributes.get("db.operation.batch.size") for span in found[:-1]}, {None})
        self.assert_nothing_lost(daemon)

    def test_parameters(self):
        self.postgres()
        daemon = self.sql_daemon("--set", "query_parameters=true")
        self.pgbench("prepared", LOOK_UP, 100)
        found = daemon.wait_spans(100, settle=0.5, name="select song")
        values = [int(span.attributes["db.query.parameter.0"]) for span in found]
        self.assertTrue(all(1 <= value <= 1000 for value in values))
        self.assertGreater(len(set(values)), 10)
        self.assertEqual({span.attributes.get("db.query.parameter.1") for span in found}, {None})
        self.assert_nothing_lost(daemon)

    def test_unix_socket(self):
        self.postgres()
        daemon = self.start_daemon(targets=[{"name": "psql", "exe": [self.postgres_program("psql")]}])
        daemon.load("sql")
        self.assertEqual(self.psql("select title from song where id = 3", host=self.data).stdout, "title 3\n")
        if "capture backend sock" not in daemon.log():
            self.skipTest("unix streams need the backend sock")
        (span,) = daemon.wait_spans(1, settle=0.5)
        self.assertEqual((span.name, span.attributes["db.namespace"]), ("select song", "shop"))
        self.assertNotIn("server.address", span.attributes)

    def test_a_server(self):
        self.postgres()
        daemon = self.sql_daemon("--set", "server_spans=true", servers=True)
        self.psql("select title from song where id = 3")
        (span,) = daemon.wait_spans(1, settle=0.5)
        self.assertEqual((span.kind, span.name, span.attributes["server.port"]), (SERVER, "select song", self.port))
        self.assert_nothing_lost(daemon)

    def test_servers_are_silent_by_default(self):
        self.postgres()
        daemon = self.sql_daemon(servers=True)
        self.psql("select title from song where id = 3")
        wait_for("records of the server", lambda: daemon.counters().get(("module:sql", "submitted"), 0))
        self.assertEqual(daemon.spans(), [])

    def exact(self, mode, clients=1):
        self.postgres()
        daemon = self.sql_daemon("--set", "returned_rows=true")
        self.pgbench(mode, LOOK_UP, EXACT, clients)
        found = daemon.wait_spans(EXACT, seconds=60, settle=1.0, name="select song")
        self.assertEqual(len(found), EXACT)
        self.assertEqual(len({span.span_id for span in found}), EXACT)
        placeholder = "?" if mode == "simple" else "$1"
        texts = collections.Counter(span.attributes["db.query.text"] for span in found)
        self.assertEqual(texts, {f"select title from song where id = {placeholder};": EXACT})
        self.assertEqual({span.attributes["db.response.returned_rows"] for span in found}, {1})
        self.assert_nothing_lost(daemon)

    def test_exact_simple(self):
        self.exact("simple")

    def test_exact_extended(self):
        self.exact("extended")

    def test_exact_prepared(self):
        self.exact("prepared")

    def test_exact_prepared_by_eight(self):
        self.exact("prepared", clients=8)

    def test_pipeline(self):
        self.postgres()
        daemon = self.sql_daemon()
        script = ("\\startpipeline\nselect title from song where id = 1;\nupdate song set title = title where id = 2;\n"
                  "select count(*) from plays;\n\\endpipeline\n")
        self.pgbench("prepared", script, 1000)
        found = daemon.wait_spans(3000, settle=1.0)
        self.assertEqual(collections.Counter(span.name for span in found),
                         {"select song": 1000, "update song": 1000, "select plays": 1000})
        self.assert_nothing_lost(daemon)

    def test_large_results_and_copy(self):
        self.postgres()
        daemon = self.sql_daemon("--set", "returned_rows=true")
        rows = "select repeat('x', 3000) from generate_series(1, 2000)"
        self.psql(rows, f"copy ({rows}) to stdout", "select 1 from song where id = 1")
        found = daemon.wait_spans(3, seconds=30, settle=0.5)
        self.assertEqual([(span.name, span.attributes.get("db.response.returned_rows")) for span in found],
                         [("select", 2000), ("copy select", None), ("select song", 1)])
        self.assert_nothing_lost(daemon)

    def test_over_tls(self):
        """The client asks for TLS in the protocol; its plaintext comes back from the tls module."""
        self.postgres()
        self.turn_on_tls()
        self.expect_each_over_tls(self.sql_daemon, self.asker, lambda: self.asker(PGSSLMODE="require"))

    def test_handshakes(self):
        self.postgres()
        self.turn_on_tls()

        def connect():
            self.assertEqual(self.psql("select 1", PGSSLMODE="require").stdout, "1\n")
        self.expect_handshakes(self.sql_daemon, connect)

    def test_handshakes_of_psycopg2(self):
        self.postgres()
        self.turn_on_tls()
        script = textwrap.dedent("""
            try:
                import psycopg2
            except ImportError:
                raise SystemExit(77)
            for _ in range(50):
                connection = psycopg2.connect("sslmode=require")
                connection.cursor().execute("select 1")
                connection.close()
        """)

        def connect():
            done = self.run_client([peers.PYTHON, "-c", script])
            if done.returncode == 77:
                self.skipTest("psycopg2 is not installed")
            self.assertEqual(done.returncode, 0, done.stderr)
        self.expect_handshakes(self.sql_daemon, connect, per_call=50)

    def test_connection_older_than_the_daemon(self):
        self.postgres()
        ask = self.asker().ask
        self.assertEqual(ask("select 1;"), "1\n")
        daemon = self.sql_daemon()
        for number in range(1, 6):
            self.assertEqual(ask(f"select title from song where id = {number};"), f"title {number}\n")
        found = daemon.wait_spans(5, settle=0.5)
        self.assertEqual({span.name for span in found}, {"select song"})
        self.assertNotIn("db.namespace", found[0].attributes)

    @unittest.skipUnless(FULL, "PROBED_FULL=1 runs it; the case of the full ring does it in short")
    def test_lost_records(self):
        self.postgres()
        self.expect_lost_records(self.sql_daemon, self.asker())

    def test_delay(self):
        self.postgres()
        daemon = self.sql_daemon("--set", "server_spans=true", both=True)
        self.expect_delay(daemon, lambda: self.pgbench("extended", "select pg_sleep(0.05);\n", DELAYED))

    def test_psycopg2(self):
        self.postgres()
        script = textwrap.dedent("""
            try:
                import psycopg2
            except ImportError:
                raise SystemExit(77)
            connection = psycopg2.connect("")
            cursor = connection.cursor()
            for number in range(100):
                cursor.execute("select title from song where id = %s and title <> %s", (number, "it's"))
            try:
                cursor.execute("insert into song values (%s, %s)", (1, "twice"))
            except psycopg2.Error as error:
                assert error.pgcode == "23505"
            connection.rollback()
        """)
        daemon = self.sql_daemon()
        done = self.run_client([peers.PYTHON, "-c", script])
        if done.returncode == 77:
            self.skipTest("psycopg2 is not installed")
        self.assertEqual(done.returncode, 0, done.stderr)
        found = daemon.wait_spans(103, settle=0.5)
        self.assertEqual(collections.Counter((span.name, span.attributes.get("error.type")) for span in found),
                         {("BEGIN", None): 1, ("select song", None): 100, ("insert song", "23505"): 1, ("ROLLBACK", None): 1})
        self.assertEqual(found[1].attributes["db.query.text"], "select title from song where id = ? and title <> ?")
        self.assert_nothing_lost(daemon)


class SqlLoadCase(SqlCase):
    module = "sql"

    def load_daemon(self, **options):
        server = os.path.realpath(self.postgres_program("postgres"))
        return self.start_daemon(targets=[{"name": "clients", "ports": [self.port]},
                                          {"name": "no_servers", "exclude": True, "exe": [server]}], **options)


class SqlUnderLoad(UnderLoad, SqlLoadCase):
    def load_peers(self):
        self.postgres()

        def round_of():
            self.pgbench("prepared", LOOK_UP, 2000, 4, "-R", 4000)
            return 2000
        return round_of

    def is_operation(self, span):
        return span.name == "select song" and "error.type" not in span.attributes


class SqlFullRing(Overflow, SqlLoadCase):
    held_up = 1

    def talk_peers(self):
        self.postgres()
        client = subprocess.Popen([self.postgres_program("psql"), "-X", "-q", "-A", "-t"], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True, env=self.environment())
        self.addCleanup(client.stdout.close)
        self.addCleanup(client.wait)
        self.addCleanup(client.stdin.close)

        def talk(first, count):
            for number in range(first, first + count):
                client.stdin.write(f"select 7 as n{number};\n")
                client.stdin.flush()
                self.assertEqual(client.stdout.readline(), "7\n")
        return talk

    def is_operation(self, span):
        return span.kind == CLIENT

    def number_of(self, span):
        return int(re.fullmatch(r"select \? as n(\d+);?", span.attributes["db.query.text"])[1])

