// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The client of tests/e2e/servers/sql/README.md.
const mysql = require('mysql2/promise');

const [, host, port, count] = process.argv.slice(2);

async function main() {
  const connection = await mysql.createConnection({ host, port: Number(port), user: 'tester', password: 'secret', database: 'shop' });
  for (let i = 0; i < Number(count); i++) await connection.execute('select title from song where id = ?', [(i % 1000) + 1]);
  await connection.query("insert into song values (1, 'twice')").catch((error) => console.log(error.errno));
  await connection.end();
}

main();
