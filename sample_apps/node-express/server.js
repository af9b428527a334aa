'use strict';

const http = require('node:http');
const createApp = require('./app');

// WORKERS=2 serves with two processes.
const workers = Number(process.env.WORKERS || 1);
if (workers > 1 && !process.env.SHOP_WORKER) {
  const cluster = require('node:cluster');
  for (let number = 0; number < workers; number += 1) {
    cluster.fork({ SHOP_WORKER: String(number + 1) });
  }
  for (const signal of ['SIGTERM', 'SIGINT']) {
    process.on(signal, () => cluster.disconnect(() => process.exit(0)));
  }
  return;
}

const port = Number(process.env.PORT || 3000);
const server = http.createServer(createApp());

server.listen(port, () => console.log(`listening on port ${port}`));

for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, () => {
    console.log(`${signal}: finishing`);
    server.close(() => process.exit(0));
    server.closeIdleConnections();
    // Clients that keep their connection busy get a little time only.
    setTimeout(() => process.exit(0), 2000).unref();
  });
}
