// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// HTTP/2 over TLS by Node: "serve PORT CERTIFICATE KEY", or "get PORT NAME CERTIFICATE COUNT STREAMS", which asks for the
// pages /number/0 to /number/COUNT-1 on one connection, so many of them at once, prints how many came, and closes when its input ends.
const fs = require('fs');
const http2 = require('http2');
const [mode, port, ...rest] = process.argv.slice(2);

function serve(certificate, key) {
  const files = { cert: fs.readFileSync(certificate), key: fs.readFileSync(key) };
  const server = http2.createSecureServer(files);
  server.on('stream', (stream, headers) => {
    stream.respond({ ':status': 200 });
    stream.end(headers[':path'] + '\n');
  });
  server.listen(Number(port), '127.0.0.1');
}

function ask(session, path) {
  return new Promise(resolve => {
    const stream = session.request({ ':path': path });
    let body = '';
    stream.setEncoding('utf8');
    stream.on('data', part => { body += part; });
    stream.on('end', () => resolve(body === path + '\n'));
    stream.on('error', error => { console.error(error); resolve(false); });
  });
}

async function get(name, certificate, count, streams) {
  const options = { ca: fs.readFileSync(certificate), servername: name };
  const session = http2.connect(`https://127.0.0.1:${port}`, options);
  let next = 0;
  let came = 0;
  const work = async () => {
    while (next < count) if (await ask(session, `/number/${next++}`)) ++came;
  };
  await Promise.all(Array.from({ length: streams }, work));
  console.log(came);
  process.stdin.on('end', () => session.close()).resume();
}

if (mode === 'serve') serve(rest[0], rest[1]);
else get(rest[0], rest[1], Number(rest[2]), Number(rest[3]));
