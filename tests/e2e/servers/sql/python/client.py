# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""The client of tests/e2e/servers/sql/README.md."""

import contextlib
import sys
import time

import psycopg

AT_ONCE = 100


def main(driver, host, port, count, tls=""):
    with psycopg.connect(host=host, port=port, user="tester", password="secret", dbname="shop", autocommit=True,
                         sslmode="require" if tls else "disable") as connection:
        several = connection.pipeline if driver == "psycopg-pipeline" else contextlib.nullcontext
        for first in range(0, int(count), AT_ONCE):
            with several():
                asked = [connection.execute("select title from song where id = %s", (number % 1000 + 1,), prepare=True)
                         for number in range(first, min(first + AT_ONCE, int(count)))]
            for number, answer in enumerate(asked, first):
                assert answer.fetchone() == (f"title {number % 1000 + 1}",)
        try:
            connection.execute("insert into song values (1, 'twice')")
        except psycopg.Error as error:
            print(error.sqlstate)


if sys.argv[1] == "wait":
    time.sleep(3600)
main(*sys.argv[1:])
