// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0

// echo.js server PORT [CERT KEY] | client PORT [CERT]: ../README.md. Messages are bytes, so there is no generated code.
'use strict';
const fs = require('fs');
const readline = require('readline');
const grpc = require('@grpc/grpc-js');

const LIMITS = {'grpc.max_receive_message_length': 64 << 20, 'grpc.max_send_message_length': 64 << 20};

const same = (data) => data;
const method = (name, requestStream, responseStream) => ({
  path: `/test.Echo/${name}`, requestStream, responseStream, originalName: name,
  requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same,
});
const served = {
  Say: method('Say', false, false), Slow: method('Slow', false, false), Fail: method('Fail', false, false),
  Count: method('Count', false, true), Sum: method('Sum', true, false), Chat: method('Chat', true, true),
};

function serve(port, certificate, key) {
  const server = new grpc.Server(LIMITS);
  server.addService(served, {
    Say: (call, done) => done(null, call.request),
    Slow: (call, done) => setTimeout(() => done(null, Buffer.alloc(0)), Number(call.request)),
    Fail: (call, done) => done({code: Number(call.request), details: 'as asked'}),
    Count: (call) => {
      for (let i = 0; i < Number(call.request); i++) call.write(Buffer.from(String(i)));
      call.end();
    },
    Sum: (call, done) => {
      let sum = 0;
      call.on('data', (data) => { sum += data.length; });
      call.on('end', () => done(null, Buffer.from(String(sum))));
    },
    Chat: (call) => {
      call.on('data', (data) => call.write(data));
      call.on('end', () => call.end());
    },
  });
  const secrets = certificate ?
    grpc.ServerCredentials.createSsl(null, [{cert_chain: fs.readFileSync(certificate), private_key: fs.readFileSync(key)}]) :
    grpc.ServerCredentials.createInsecure();
  server.bindAsync(`127.0.0.1:${port}`, secrets, (error) => {
    if (error) throw error;
  });
}

class Client {
  constructor(port, certificate) {
    const all = {...served, Nothing: method('Nothing', false, false)};
    const Echo = grpc.makeGenericClientConstructor(all, 'test.Echo');
    const secrets = certificate ? grpc.credentials.createSsl(fs.readFileSync(certificate)) : grpc.credentials.createInsecure();
    const named = certificate ? {'grpc.ssl_target_name_override': 'shop.test'} : {};
    this.stub = new Echo(`127.0.0.1:${port}`, secrets, {...LIMITS, ...named});
  }

  /** Resolves to the number of the status. `begun` gets the call. */
  unary(name, data, options = {}, begun = () => {}) {
    return new Promise((resolve) => {
      begun(this.stub[name](data, options, (error, answer) => {
        if (!error && name === 'Say' && answer.length !== data.length) throw new Error('a wrong answer');
        resolve(error ? error.code : 0);
      }));
    });
  }

  async say(size, times) {
    for (let i = 0; i < times; i++) {
      const status = await this.unary('Say', Buffer.alloc(size));
      if (status) return status;
    }
    return 0;
  }

  async parallel(streams, times, size) {
    let left = times;
    let failed = 0;
    const one = async () => {
      while (left-- > 0) failed = await this.unary('Say', Buffer.alloc(size)) || failed;
    };
    await Promise.all(Array.from({length: streams}, one));
    return failed;
  }

  /** Sends so many messages; chat waits for the answer to each. */
  stream(name, messages) {
    return new Promise((resolve) => {
      let call;
      if (name === 'Count') {
        call = this.stub.Count(Buffer.from(String(messages)));
      } else if (name === 'Sum') {
        call = this.stub.Sum((error) => resolve(error ? error.code : 0));
        for (let i = 0; i < messages; i++) call.write(Buffer.from('abc'));
        call.end();
        return;
      } else {
        call = this.stub.Chat();
        call.write(Buffer.from('abc'));
      }
      let answers = 0;
      call.on('data', () => {
        answers++;
        if (name === 'Chat') answers < messages ? call.write(Buffer.from('abc')) : call.end();
      });
      call.on('error', () => {});
      call.on('status', (status) => resolve(status.code));
    });
  }

  run([call, ...words]) {
    const [first, second, third] = words.map(Number);
    const number = Buffer.from(String(first));
    const long = Buffer.from('5000');
    switch (call) {
      case 'say': return this.say(first, second);
      case 'parallel': return this.parallel(first, second, third);
      case 'slow': return this.unary('Slow', number);
      case 'fail': return this.unary('Fail', number);
      case 'missing': return this.unary('Nothing', Buffer.alloc(0));
      case 'deadline': return this.unary('Slow', long, {deadline: Date.now() + first});
      case 'cancel': return this.unary('Slow', long, {}, (begun) => setTimeout(() => begun.cancel(), first));
      case 'count': return this.stream('Count', first);
      case 'sum': return this.stream('Sum', first);
      case 'chat': return this.stream('Chat', first);
      default: throw new Error(call);
    }
  }
}

async function ask(port, certificate) {
  const client = new Client(port, certificate);
  for await (const line of readline.createInterface({input: process.stdin})) {
    console.log(await client.run(line.split(' ')));
  }
  process.exit(0);
}

({server: serve, client: ask})[process.argv[2]](...process.argv.slice(3));
