# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""Asks PostgreSQL by libpq with OpenSSL 1.1: "query.py COUNT", where to as the environment says. It asks for the titles of
the songs 1 to COUNT on one connection, prints each, and last the library's version."""

import sys

import psycopg2
from psycopg2 import extensions

connection = psycopg2.connect("", sslmode="require")
connection.autocommit = True
with connection.cursor() as cursor:
    for number in range(1, int(sys.argv[1]) + 1):
        cursor.execute(f"select title from song where id = {number}")
        print(cursor.fetchone()[0])
print(connection.info.ssl_attribute("library"), extensions.libpq_version())
