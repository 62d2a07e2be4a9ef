# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""Statements of unmodified clients at an unmodified MariaDB."""

import collections

from databases import DELAYED
from harness import FULL, wait_for
from mariadb import MariaCase, find
from peers import PYTHON
from spans import CLIENT, SERVER

EXACT = 10_000 if FULL else 4000


def names(found):
    return [span.name for span in found]


class Mariadb(MariaCase):
    def test_mariadb(self):
        daemon = self.maria_daemon("--set", "returned_rows=true")
        done = self.maria("select title from song where id in (1, 2);\nselect nothing from song;\n"
                          "insert into plays (song) values (7);\n")
        self.assertEqual(done.stdout.split("\n")[:2], ["title 1", "title 2"])
        found = daemon.wait_spans(3, settle=0.5)
        self.assertEqual([(span.kind, span.name, span.attributes.get("error.type")) for span in found],
                         [(CLIENT, "select song", None), (CLIENT, "select song", "1054"), (CLIENT, "insert plays", None)])
        self.assertEqual(found[0].attributes, {
            "db.system.name": self.system, "db.namespace": "shop", "db.query.summary": "select song",
            "db.query.text": "select title from song where id in (?, ?)", "db.response.returned_rows": 2,
            "server.address": "127.0.0.1", "server.port": self.port})
        self.assertEqual(found[1].attributes["db.response.status_code"], "1054")
        self.assertEqual(found[1].attributes["probed.db.sqlstate"], "42S22")
        self.assertEqual(found[1].status["code"], 2)
        self.assert_nothing_lost(daemon)

    def test_a_server(self):
        daemon = self.maria_daemon("--set", "server_spans=true", servers=True)
        self.maria("select title from song where id = 3")
        (span,) = daemon.wait_spans(1, settle=0.5)
        self.assertEqual((span.kind, span.name, span.attributes["server.port"], span.attributes["db.namespace"]),
                         (SERVER, "select song", self.port, "shop"))
        self.assert_nothing_lost(daemon)

    def test_exact(self):
        daemon = self.maria_daemon("--set", "returned_rows=true")
        self.ran(self.pymysql(f"""
            for number in range({EXACT}):
                cursor.execute("select title from song where id <= %s", (number % 7 + 1,))
        """, "autocommit=None"))
        found = daemon.wait_spans(EXACT, seconds=60, settle=1.0, name="select song")
        self.assertEqual(len(found), EXACT)
        rows = collections.Counter(span.attributes["db.response.returned_rows"] for span in found)
        self.assertEqual(rows, collections.Counter(number % 7 + 1 for number in range(EXACT)))
        self.assertEqual({span.attributes["db.query.text"] for span in found}, {"select title from song where id <= ?"})
        self.assert_nothing_lost(daemon)

    def test_several_statements_and_results(self):
        daemon = self.maria_daemon("--set", "returned_rows=true")
        self.ran(self.pymysql("""
            cursor.execute("select 1; update song set title = title where id = 2; select id from song where id < 4")
            while cursor.nextset(): pass
            cursor.execute("call two()")
            while cursor.nextset(): pass
            connection.select_db("mysql")
            cursor.execute("select count(*) from db")
            cursor.execute("use shop")
            try:
                cursor.execute("insert into song values (%s, %s)", (1, "twice"))
            except pymysql.Error as error:
                assert error.args[0] == 1062
            cursor.execute("do sleep(0.3)")
        """, "autocommit=None"))
        found = daemon.wait_spans(6, settle=0.5)
        self.assertEqual([(span.name, span.attributes.get("db.response.returned_rows"), span.attributes["db.namespace"])
                          for span in found],
                         [("BATCH", 4, "shop"), ("call two", 3, "shop"), ("select db", 1, "mysql"),
                          ("use", None, "mysql"), ("insert song", None, "shop"), ("do", None, "shop")])
        self.assertEqual(found[0].attributes["db.operation.batch.size"], 3)
        self.assertGreater(found[5].milliseconds, 290)  # its client may be kept from the end of its send
        self.assert_nothing_lost(daemon)

    def test_local_infile(self):
        daemon = self.maria_daemon()
        path = self.folder / "songs.csv"
        path.write_text("".join(f"{number},private {number}\n" for number in range(2000, 60_000)))
        done = self.maria(f"load data local infile '{path}' into table song fields terminated by ',';\n"
                          "select count(*) from song;\ndelete from song where id > 1000;\n")
        self.assertEqual(done.stdout, "59000\n", done.stderr)
        found = daemon.wait_spans(3, settle=0.5)
        self.assertEqual(names(found), ["load", "select song", "delete song"])
        self.assertNotIn("private", daemon.span_path.read_text())
        self.assert_nothing_lost(daemon)

    def test_packets_over_16_mb_and_long_results(self):
        daemon = self.maria_daemon("--set", "returned_rows=true")
        self.ran(self.pymysql("""
            cursor.execute("select length('" + "x" * 17_000_000 + "') from song where id = 1")
            assert cursor.fetchone() == (17_000_000,)
            cursor.execute("select repeat('y', 17000000) from song where id = 1")
            assert len(cursor.fetchone()[0]) == 17_000_000
            cursor.execute("select a.title from song a join song b on b.id <= 50")
            assert len(cursor.fetchall()) == 50_000
            cursor.execute("select repeat('z', 5000), id from song")
            assert len(cursor.fetchall()) == 1000
        """, "autocommit=None, max_allowed_packet=64 << 20"))
        found = daemon.wait_spans(4, seconds=30, settle=0.5)
        self.assertEqual([(span.name, span.attributes["db.response.returned_rows"]) for span in found],
                         [("select", 1), ("select song", 1), ("select song song", 50_000), ("select song", 1000)])
        self.assertTrue(found[0].attributes["probed.db.text_truncated"])
        self.assert_nothing_lost(daemon)

    def test_unix_socket(self):
        daemon = self.start_daemon(targets=[{"name": "client", "exe": [find("mariadb")]}])
        daemon.load("sql")
        self.assertEqual(self.maria("select title from song where id = 3", "-h", "localhost", "-S", self.server.socket).stdout,
                         "title 3\n")
        if "capture backend sock" not in daemon.log():
            self.skipTest("unix streams need the backend sock")
        (span,) = daemon.wait_spans(1, settle=0.5)
        self.assertEqual((span.name, span.attributes["db.namespace"]), ("select song", "shop"))
        self.assertNotIn("server.address", span.attributes)

    def test_connection_older_than_the_daemon(self):
        ask = self.asker().ask
        self.assertEqual(ask("select 1;"), "1\n")
        daemon = self.maria_daemon()
        for number in range(1, 6):
            self.assertEqual(ask(f"select title from song where id = {number};"), f"title {number}\n")
        found = daemon.wait_spans(5, settle=0.5)
        self.assertEqual({(span.name, span.attributes["db.system.name"]) for span in found}, {("select song", "mysql")})
        self.assertNotIn("db.namespace", found[0].attributes)

    def test_lost_records(self):
        self.expect_lost_records(self.maria_daemon, self.asker())

    def test_delay(self):
        daemon = self.maria_daemon("--set", "server_spans=true", both=True)
        self.expect_delay(daemon, lambda: self.maria("select sleep(0.05);\n" * DELAYED))

    def test_compressed(self):
        daemon = self.maria_daemon()
        done = self.maria("select title from song where id = 3; select 2;", "--compress")
        self.assertEqual(done.stdout, "title 3\n2\n", done.stderr)
        wait_for("the stream is given away", lambda: daemon.counters().get(("module:sql", "streams_given_away"), 0) == 1)
        self.assertEqual(daemon.wait_spans(0, settle=1.0), [])
        self.assert_nothing_lost(daemon)

    def test_mariadb_over_tls(self):
        self.expect_each_over_tls(self.maria_daemon, self.asker, lambda: self.asker("--ssl"))

    def test_handshakes(self):
        def connect():
            done = self.maria("select 1", "--ssl")
            self.assertEqual(done.stdout, "1\n", done.stderr)
        self.expect_handshakes(self.maria_daemon, connect)

    def test_handshakes_of_pymysql(self):
        script = """
            for _ in range(49):
                pymysql.connect(host="127.0.0.1", port=connection.port, user="tester", password="secret", database="shop",
                                ssl={"check_hostname": False}).close()
        """
        self.expect_handshakes(self.maria_daemon,
                               lambda: self.ran(self.pymysql(script, "ssl={'check_hostname': False}")), per_call=50)

    def test_over_tls(self):
        self.keep_mapped([PYTHON, "-c", "import ssl, time; time.sleep(3600)"], "libssl")
        daemon = self.maria_daemon()
        daemon.load("tls")
        script = "cursor.execute('select title from song where id = 3'); assert cursor.fetchone() == ('title 3',)"
        self.ran(self.pymysql(script, "autocommit=None, ssl={'check_hostname': False}"))
        (span,) = daemon.wait_spans(1, settle=0.5, name="select song")
        self.assertEqual(span.attributes["db.query.text"], "select title from song where id = ?")
        self.assertEqual(span.attributes["db.namespace"], "shop")
