# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""What MariaDB is asked, asked of MySQL's own server."""

import unittest

import test_sql_clients
import test_sql_mariadb
from mysql import MysqlCase


class Mysql(MysqlCase, test_sql_mariadb.Mariadb):
    pass


class MysqlClients(MysqlCase, test_sql_clients.MariadbClients):
    @unittest.skip("MySQL has no bulk executions")
    def test_batches_of_mariadb_connector_j(self):
        pass

    test_batches_of_the_c_api = test_batches_of_mariadb_connector_j
