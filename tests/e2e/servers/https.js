// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// HTTPS by Node, which encrypts in memory: "serve PORT CERTIFICATE KEY", or "get PORT NAME COUNT WORKERS", which asks for
// the pages /number/0 to /number/COUNT-1 on kept-alive connections and prints how many came.
const fs = require('fs');
const https = require('https');
const [mode, port, ...rest] = process.argv.slice(2);

function serve(certificate, key) {
  const files = { cert: fs.readFileSync(certificate), key: fs.readFileSync(key) };
  const server = https.createServer(files, (request, response) => response.end(request.url + '\n'));
  server.keepAliveTimeout = 60000; // a daemon may start meanwhile
  server.listen(Number(port), '127.0.0.1');
}

function ask(agent, name, path) {
  return new Promise(resolve => {
    const options = { agent, host: '127.0.0.1', port, servername: name, path, rejectUnauthorized: false };
    https.get(options, response => {
      let body = '';
      response.on('data', part => { body += part; });
      response.on('end', () => resolve(body === path + '\n'));
    }).on('error', error => { console.error(error); resolve(false); });
  });
}

async function get(name, count, workers) {
  const agent = new https.Agent({ keepAlive: true, maxSockets: workers });
  let next = 0;
  let came = 0;
  const work = async () => {
    while (next < count) if (await ask(agent, name, `/number/${next++}`)) ++came;
  };
  await Promise.all(Array.from({ length: workers }, work));
  console.log(came);
  agent.destroy();
}

if (mode === 'serve') serve(rest[0], rest[1]);
else get(rest[0], Number(rest[1]), Number(rest[2]));
