# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""The client of tests/e2e/servers/sql/README.md: MariaDB's C API, which sends what other drivers do not."""

import ctypes
import sys

LONG, DATE, TIME, DATETIME = 3, 10, 11, 12  # enum enum_field_types
ARRAY_SIZE = 201  # enum enum_stmt_attr_type
MOMENTS = [((2024, 2, 29), (2024, 2, 29, 13, 4, 5, 60), (5, 1, 4, 5, 450_000)),
           ((2024, 2, 29), (2024, 2, 29), (34, 22, 59, 59)),
           ((0, 0, 0), (2024, 2, 29, 13, 4, 5), (0, 121, 0, 1)),
           ((0, 0, 0), (0, 0, 0), (0, 0, 0, 0))]


class Moment(ctypes.Structure):  # MYSQL_TIME
    _fields_ = [(name, ctypes.c_uint) for name in ("year", "month", "day", "hour", "minute", "second")] + [
        ("microseconds", ctypes.c_ulong), ("negative", ctypes.c_char), ("kind", ctypes.c_int)]


class Bind(ctypes.Structure):  # MYSQL_BIND
    _fields_ = [(name, ctypes.c_void_p) for name in ("length", "is_null", "buffer", "error", "indicator", "store", "fetch",
                                                     "skip")] + [
        (name, ctypes.c_ulong) for name in ("buffer_length", "offset", "length_value")] + [
        ("flags", ctypes.c_uint), ("pack_length", ctypes.c_uint), ("type", ctypes.c_int)] + [
        (name, ctypes.c_char) for name in ("error_value", "is_unsigned", "long_data_used", "is_null_value")] + [
        ("extension", ctypes.c_void_p)]


def date(parts):
    names = ("year", "month", "day", "hour", "minute", "second", "microseconds")
    return Moment(**dict(zip(names, parts)))


def duration(parts):
    names = ("day", "hour", "minute", "second", "microseconds")
    return Moment(**dict(zip(names, parts)), negative=bytes([any(parts)]), kind=2)


class Connection:
    def __init__(self, host, port):
        self.api = ctypes.CDLL("libmariadb.so.3")
        for name in ("mysql_init", "mysql_stmt_init", "mysql_real_connect"):
            getattr(self.api, name).restype = ctypes.c_void_p
        self.api.mysql_stmt_error.restype = ctypes.c_char_p
        self.mysql = ctypes.c_void_p(self.api.mysql_init(None))
        done = self.api.mysql_real_connect(self.mysql, host.encode(), b"tester", b"secret", b"shop", int(port), None,
                                           ctypes.c_ulong(0))
        assert done, "no connection"

    def prepare(self, text):
        statement = ctypes.c_void_p(self.api.mysql_stmt_init(self.mysql))
        self.check(statement, self.api.mysql_stmt_prepare(statement, text, ctypes.c_ulong(len(text))))
        return statement

    def execute(self, statement, *values):
        """Of each (type, a value or an array of them)."""
        binds = (Bind * len(values))(*(Bind(type=kind, buffer=ctypes.addressof(value)) for kind, value in values))
        self.check(statement, self.api.mysql_stmt_bind_param(statement, binds))
        self.check(statement, self.api.mysql_stmt_execute(statement))

    def check(self, statement, failed):
        assert not failed, self.api.mysql_stmt_error(statement)


def moments(connection):
    statement = connection.prepare(b"insert into moment values (?, ?, null, ?)")
    for day, at, ago in MOMENTS:
        connection.execute(statement, (DATE, date(day)), (DATETIME, date(at)), (TIME, duration(ago)))


def batches(connection, count):
    statement = connection.prepare(b"insert into note values (?, 'c')")
    for size in range(1, count + 1):
        wanted = ctypes.c_uint(size)
        connection.check(statement, connection.api.mysql_stmt_attr_set(statement, ARRAY_SIZE, ctypes.byref(wanted)))
        connection.execute(statement, (LONG, (ctypes.c_int * size)(*range(size))))


_, host, port, count, what = sys.argv[1:]
connection = Connection(host, port)
if what == "moments":
    moments(connection)
else:
    batches(connection, int(count))
connection.api.mysql_query(connection.mysql, b"insert into song values (1, 'twice')")
print(connection.api.mysql_errno(connection.mysql))
