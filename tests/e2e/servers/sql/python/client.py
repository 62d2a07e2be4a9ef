# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""The client of tests/e2e/servers/sql/README.md."""

import contextlib
import sys
import time

import psycopg

AT_ONCE = 100


def connect(host, port, options):
    return psycopg.connect(host=host, port=port, user="tester", password="secret", dbname="shop", autocommit=True,
                           sslmode="require" if "tls" in options else "disable")


def look_up(connection, number):
    return connection.execute("select title from song where id = %s", (number % 1000 + 1,), prepare=True)


def on_one(connection, driver, count):
    several = connection.pipeline if driver == "psycopg-pipeline" else contextlib.nullcontext
    for first in range(0, count, AT_ONCE):
        with several():
            asked = [look_up(connection, number) for number in range(first, min(first + AT_ONCE, count))]
        for number, answer in enumerate(asked, first):
            assert answer.fetchone() == (f"title {number % 1000 + 1}",)


def main(driver, host, port, count, *options):
    alone = int(count) if "each" in options else 0
    for number in range(alone):
        with connect(host, port, options) as connection:
            assert look_up(connection, number).fetchone() == (f"title {number % 1000 + 1}",)
    with connect(host, port, options) as connection:
        on_one(connection, driver, int(count) - alone)
        try:
            connection.execute("insert into song values (1, 'twice')")
        except psycopg.Error as error:
            print(error.sqlstate)


if sys.argv[1] == "wait":
    time.sleep(3600)
main(*sys.argv[1:])
