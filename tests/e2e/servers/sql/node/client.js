// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The client of tests/e2e/servers/sql/README.md.
const mysql = require('mysql2/promise');

const [, host, port, count, what] = process.argv.slice(2);
const MOMENTS = ['2024-02-29T13:04:05.060', '2024-02-29T13:04:05', '2001-01-01T00:00:00'].map((text) => new Date(text));

async function main() {
  const connection = await mysql.createConnection({ host, port: Number(port), user: 'tester', password: 'secret', database: 'shop' });
  if (what === 'moments') {
    for (const at of MOMENTS) await connection.execute('insert into moment values (?, ?, ?, null)', [at, at, at]);
  }
  for (let i = 0; i < Number(count); i++) await connection.execute('select title from song where id = ?', [(i % 1000) + 1]);
  await connection.query("insert into song values (1, 'twice')").catch((error) => console.log(error.errno));
  await connection.end();
}

main();
