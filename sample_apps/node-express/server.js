'use strict';

const http = require('node:http');
const createApp = require('./app');

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
