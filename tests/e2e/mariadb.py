# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""A MariaDB to be asked, and what a case of the sql module needs around it."""

import os
import pathlib
import pwd
import shutil
import subprocess
import tempfile
import textwrap
import unittest

import peers
from databases import Asker, SqlModuleCase
from harness import accepts, free_port, shared, wait_for

SETUP = """
create database shop;
create user tester identified by 'secret';
grant all on *.* to tester;
use shop;
create table song (id int primary key, title text);
insert into song with recursive one (id) as (select 1 union all select id + 1 from one where id < 1000)
  select id, concat('title ', id) from one;
create table plays (song int, at timestamp default now());
create table moment (day date, at datetime(6), stamp timestamp(6) null, ago time(6));
create table note (number int, text text);
create procedure two() begin select 1; select title from song where id < 3; end;
"""

CONNECT = """
    import socket, sys
    try:
        import pymysql
    except ImportError:
        raise SystemExit(77)
    from pymysql.constants import CLIENT
    def connect(**more):
        return pymysql.connect(**{{"host": "127.0.0.1", "port": {port}, "user": "tester", "password": "secret",
                                "database": "shop", "local_infile": True, "client_flag": CLIENT.MULTI_STATEMENTS, **more}})
    connection = connect({options})
    cursor = connection.cursor()
"""


def find(name):
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin")


class Server:
    """A MariaDB of its own: Debian's programs, data in a temporary folder. TLS is there for who asks."""

    needs = ("mariadbd", "mariadb", "mariadb-install-db", "openssl")

    def __init__(self):
        self.program = os.path.realpath(self.find_program())
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="probed-mariadb."))
        user = pwd.getpwnam("mysql")
        os.chown(self.folder, user.pw_uid, user.pw_gid)
        self.folder.chmod(0o755)
        data, key, cert = self.folder / "data", self.folder / "server.key", self.folder / "server.crt"
        subprocess.run([*self.install_command(), "--user=mysql", f"--datadir={data}"], check=True, capture_output=True)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=shop", "-keyout",
                        key, "-out", cert], check=True, capture_output=True)
        key.chmod(0o644)
        self.port = free_port()
        self.socket = self.folder / "socket"
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen(
                [self.program, "--no-defaults", "--user=mysql", f"--datadir={data}", f"--port={self.port}",
                 "--bind-address=127.0.0.1", f"--socket={self.socket}", "--local-infile=1", "--max-allowed-packet=64M",
                 "--innodb-buffer-pool-size=16M", "--innodb-flush-log-at-trx-commit=0", f"--ssl-key={key}", f"--ssl-cert={cert}",
                 *self.options()],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for("the database", lambda: accepts(self.port))
        subprocess.run([find("mariadb"), "--no-defaults", "-S", self.socket, "-u", "root", "--delimiter=;;"],
                       input=SETUP.replace(";\n", ";;\n"), text=True, check=True)

    def find_program(self):
        return find("mariadbd")

    def install_command(self):
        return [find("mariadb-install-db"), "--no-defaults", "--skip-test-db", "--auth-root-authentication-method=normal"]

    def options(self):
        return []

    def stop(self):
        self.process.kill()  # nobody reads again what an orderly end would write
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class MariaCase(SqlModuleCase):
    """One MariaDB for all cases of a file."""

    server_type = Server
    system = "mariadb"
    server_says_read = True  # probed.tls.plaintext_read of its handshakes

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for name in cls.server_type.needs:
            if find(name) is None:
                print(f"SKIPPED: {cls.__name__}: {name} is not installed")
                raise unittest.SkipTest(f"{name} is not installed")
        cls.server = shared(cls.server_type)
        cls.port = cls.server.port

    def maria_daemon(self, *config, **options):
        return self.module_daemon(self.server.program, *config, **options)

    def asker(self, tls="--skip-ssl"):
        return Asker(self, [find("mariadb"), "--no-defaults", "-h", "127.0.0.1", "-P", self.port, "-u", "tester", "-psecret",
                            tls, "-N", "-n", "shop"])

    def maria(self, text, *options):
        command = [find("mariadb"), "--no-defaults", "-h", "127.0.0.1", "-P", str(self.port), "-u", "tester",
                   "-psecret", "--skip-ssl", "--local-infile=1", "-N", "-f", *options, "shop"]
        return subprocess.run(command, input=text, capture_output=True, text=True, timeout=120)

    def pymysql(self, script, options=""):
        """Runs it behind a connection."""
        text = textwrap.dedent(CONNECT.format(port=self.port, options=options)) + textwrap.dedent(script)
        return subprocess.run([peers.PYTHON, "-c", text], capture_output=True, text=True, timeout=300)

    def ran(self, done):
        if done.returncode == 77:
            self.skipTest("PyMySQL is not installed")
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout
