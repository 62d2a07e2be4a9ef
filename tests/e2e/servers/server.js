// Node's http server. Prints its port. /status/N answers with that code.
const server = require('http').createServer((request, response) => {
  const asked = /^\/status\/(\d+)/.exec(request.url);
  response.statusCode = asked ? Number(asked[1]) : 200;
  response.end('hello\n');
});
server.listen(Number(process.argv[2]), '127.0.0.1');
