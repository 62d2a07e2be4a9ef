# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""Drivers of other languages (servers/sql/README.md) at PostgreSQL and MariaDB: exact counts. What they need comes from
registries. One of each language runs always, the others with PROBED_FULL=1."""

import collections
import re
import subprocess
import time
import unittest

import peers
from databases import CONNECTIONS, SqlCase
from harness import FULL
from languages import Missing, built, go_program, java_program, node_program, python_program
from mariadb import MariaCase
from test_sql import LOOK_UP

SOURCES = peers.SERVERS / "sql"
BUILDERS = {"go": go_program, "node": lambda *where: node_program(*where, "client.js"),
            "java": lambda *where: java_program(*where, "Client"),
            "python": lambda *where: python_program(*where, "client.py")}
EXACT = 10_000 if FULL else 4000
long_run = unittest.skipUnless(FULL, "PROBED_FULL=1 runs it")


class Clients:
    def program(self, language):
        try:
            return built(SOURCES / language, f"sql_clients/{language}",
                         lambda folder: BUILDERS[language](SOURCES / language, folder))
        except Missing as missing:
            self.skipTest(str(missing))

    def command(self, language, driver, count):
        return [*self.program(language), driver, "127.0.0.1", str(self.port), str(count)]

    def exact(self, daemon, language, driver, error, *options):
        command = [*self.command(language, driver, EXACT), *options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        self.assertEqual((done.returncode, done.stdout.strip()), (0, error), done.stderr)
        found = daemon.wait_spans(EXACT, seconds=60, settle=1.0, name="select song")
        self.assertEqual(len(found), EXACT)
        self.assertEqual(len({span.attributes["db.query.text"] for span in found}), 1)
        self.assertEqual(collections.Counter(span.attributes.get("db.response.returned_rows") for span in found), {1: EXACT})
        self.assertEqual({span.attributes.get("probed.db.statement_unknown") for span in found}, {None})
        (failed,) = daemon.spans(name="insert song")
        self.assertEqual(failed.attributes["error.type"], error)
        self.assert_nothing_lost(daemon)

    def keep_probed(self, language):
        """Else the probes come some milliseconds after the client's start. Go's programs are one file."""
        self.keep_mapped([*self.program(language), "wait"], {"go": "program", "python": "libssl"}[language])

    def each_connection_over_tls(self, start_daemon, language, driver, **expected):
        self.keep_probed(language)
        command = self.command(language, driver, CONNECTIONS - 1)  # the failing statement has one too
        self.expect_each_connection(start_daemon, [*command, "tls", "each"], **expected)

    def exact_over_tls(self, start_daemon, language, driver, error):
        """The plaintext of each comes from the tls module."""
        self.keep_probed(language)
        daemon = start_daemon("--set", "returned_rows=true")
        daemon.load("tls")
        self.exact(daemon, language, driver, error, "tls")
        self.assertEqual(daemon.counters().get(("module:tls", "unbound"), 0), 0)

    def prepared_before(self, driver, start_daemon):
        """A statement that was prepared before the daemon started is executed: spans without its text, and marked."""
        client = subprocess.Popen(self.command("go", driver, 4 * EXACT), stdout=subprocess.PIPE, text=True)
        self.addCleanup(client.stdout.close)
        time.sleep(1)
        daemon = start_daemon()
        self.assertIsNone(client.poll(), "the client was too fast")
        self.assertEqual(client.wait(120), 0)
        daemon.wait_spans(1, name="insert song", settle=1.0)
        found = [span for span in daemon.spans() if span.name != "insert song"]
        self.assertGreater(len(found), 1000)
        self.assertEqual({span.attributes.get("probed.db.statement_unknown") for span in found}, {True})
        self.assertEqual({span.attributes.get("db.query.text") for span in found}, {None})
        self.assertEqual(daemon.losses(), {})
        self.assertTrue(daemon.ctl_json("ledger")["closes"])


class MariadbClients(MariaCase, Clients):
    @long_run
    def test_go(self):
        self.exact(self.maria_daemon("--set", "returned_rows=true"), "go", "mysql", "1062")

    def test_node(self):
        self.exact(self.maria_daemon("--set", "returned_rows=true"), "node", "mysql2", "1062")

    def test_parameters(self):
        daemon = self.maria_daemon("--set", "query_parameters=true")
        done = subprocess.run(self.command("node", "mysql2", 100), capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stderr)
        found = daemon.wait_spans(100, settle=0.5, name="select song")
        self.assertEqual([float(span.attributes["db.query.parameter.0"]) for span in found], sorted(
            float(span.attributes["db.query.parameter.0"]) for span in found))
        self.assertGreaterEqual(len({span.attributes["db.query.parameter.0"] for span in found}), 100)
        self.assert_nothing_lost(daemon)

    def moments(self, command, count, names):
        """Dates and times as the server writes what it was sent into its log."""
        daemon = self.maria_daemon("--set", "query_parameters=true")
        self.maria("set global log_output = 'TABLE', general_log = on, sql_mode = ''")  # zeros are dates
        self.addCleanup(self.maria, "set global general_log = off, sql_mode = default; truncate mysql.general_log")
        done = subprocess.run([*command, "moments"], capture_output=True, text=True, timeout=300)
        self.assertEqual((done.returncode, done.stdout), (0, "1062\n"), done.stderr)
        log = self.maria("select argument from mysql.general_log where command_type = 'Execute' and argument like "
                         "'insert into moment%' order by event_time").stdout.splitlines()
        found = daemon.wait_spans(count, settle=0.5, name="insert moment")
        self.assertEqual((len(found), len(log)), (count, count))
        for span, line in zip(found, log):
            values = [span.attributes.get(f"db.query.parameter.{index}") for index in range(names)]
            self.assertEqual(values, re.findall("'([^']*)'", line), line)
        self.assertEqual({span.attributes.get("probed.db.parameters_truncated") for span in found}, {None})
        self.assert_nothing_lost(daemon)

    def test_moments_of_mysql2(self):
        self.moments(self.command("node", "mysql2", 1), 3, 3)

    def test_moments_of_connector_j(self):
        self.moments(self.command("java", "mysql", 1), 4, 4)

    def test_moments_of_mariadb_connector_j(self):
        self.moments(self.command("java", "mariadb", 1), 4, 4)

    def test_moments_of_the_c_api(self):
        """Also times below zero, and of zeros nothing at all."""
        self.moments(self.capi_command(1), 4, 3)

    def capi_command(self, count):
        return [peers.PYTHON, SOURCES / "capi" / "client.py", "mariadb", "127.0.0.1", str(self.port), str(count)]

    def test_batches_of_the_c_api(self):
        daemon = self.maria_daemon()
        done = subprocess.run([*self.capi_command(100), "batches"], capture_output=True, text=True, timeout=300)
        self.assertEqual((done.returncode, done.stdout), (0, "1062\n"), done.stderr)
        self.assertEqual(self.maria("select count(*) from note; truncate note").stdout, "5050\n")
        found = [span for span in daemon.wait_spans(100, settle=0.5) if "insert note" in span.name]
        self.assertEqual([span.attributes.get("db.operation.batch.size", 1) for span in found], list(range(1, 101)))
        self.assert_nothing_lost(daemon)

    def test_batches_of_mariadb_connector_j(self):
        daemon = self.maria_daemon("--set", "capture_bytes=4096")
        command = [*self.command("java", "mariadb", 1024), "batches"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        self.assertEqual((done.returncode, done.stdout), (0, "1062\n"), done.stderr)
        self.assertEqual(self.maria("select count(*) from note; truncate note").stdout, "2047\n")
        found = [span for span in daemon.wait_spans(11, settle=0.5) if "insert note" in span.name]
        self.assertEqual([(span.name, span.attributes.get("db.operation.batch.size")) for span in found],
                         [("insert note", None)] + [("BATCH insert note", size) for size in (2, 4, 8, 16, 32, 64, 128, 256)]
                         + [("BATCH insert note", None)] * 2)  # longer than what is looked at
        self.assertEqual({span.attributes["db.query.text"] for span in found}, {"insert into note values (?, ?)"})
        self.assertNotIn("note 1", daemon.span_path.read_text())
        self.assert_nothing_lost(daemon)

    @long_run
    def test_connector_j(self):
        self.exact(self.maria_daemon("--set", "returned_rows=true"), "java", "mysql", "1062")

    @long_run
    def test_mariadb_connector_j(self):
        self.exact(self.maria_daemon("--set", "returned_rows=true"), "java", "mariadb", "1062")

    def test_each_connection_of_go_over_tls(self):
        self.each_connection_over_tls(self.maria_daemon, "go", "mysql", server_says_read=self.server_says_read)

    @long_run
    def test_go_over_tls(self):
        self.exact_over_tls(self.maria_daemon, "go", "mysql", "1062")

    @long_run
    def test_prepared_before(self):
        self.prepared_before("mysql", self.maria_daemon)


class PostgresClients(SqlCase, Clients):
    def setUp(self):
        super().setUp()
        self.postgres()

    def test_pgx(self):
        self.exact(self.sql_daemon("--set", "returned_rows=true"), "go", "pgx", "23505")

    def test_pgjdbc(self):
        self.exact(self.sql_daemon("--set", "returned_rows=true"), "java", "postgresql", "23505")

    @long_run
    def test_psycopg(self):
        self.exact(self.sql_daemon("--set", "returned_rows=true"), "python", "psycopg", "23505")

    @long_run
    def test_psycopg_pipeline(self):
        self.exact(self.sql_daemon("--set", "returned_rows=true"), "python", "psycopg-pipeline", "23505")

    def test_each_connection_of_pgx_over_tls(self):
        self.turn_on_tls()
        self.each_connection_over_tls(self.sql_daemon, "go", "pgx")

    def test_each_connection_of_psycopg_over_tls(self):
        self.turn_on_tls()
        self.each_connection_over_tls(self.sql_daemon, "python", "psycopg")

    @long_run
    def test_pgx_over_tls(self):
        self.turn_on_tls()
        self.exact_over_tls(self.sql_daemon, "go", "pgx", "23505")

    @long_run
    def test_psycopg_over_tls(self):
        """Its libpq and its OpenSSL come with it."""
        self.turn_on_tls()
        self.exact_over_tls(self.sql_daemon, "python", "psycopg", "23505")

    @long_run
    def test_psycopg_pipeline_over_tls(self):
        self.turn_on_tls()
        self.exact_over_tls(self.sql_daemon, "python", "psycopg-pipeline", "23505")

    @long_run
    def test_prepared_before(self):
        self.prepared_before("pgx", self.sql_daemon)

    @long_run
    def test_saturating(self):
        """As fast as eight connections go: each statement is a span, or its loss is in the ledger."""
        daemon = self.sql_daemon()
        for mode in ("simple", "extended", "prepared"):
            self.pgbench(mode, LOOK_UP, 5 * EXACT, clients=8)
        losses = daemon.losses()
        found = daemon.wait_spans(15 * EXACT if not losses else 1, seconds=120, settle=2.0, name="select song")
        print(f"{len(found)} spans of {15 * EXACT} statements, losses {daemon.losses()}")
        self.assertTrue(daemon.ctl_json("ledger")["closes"])
        if not daemon.losses():
            self.assertEqual(len(found), 15 * EXACT)
