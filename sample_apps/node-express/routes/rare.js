'use strict';

// What few ask for; most of it is loaded when it is first asked for.
const path = require('node:path');
const fs = require('node:fs');
const express = require('express');
const stock = require('../stock');

const router = express.Router();
const top = path.join(__dirname, '..');

const handled = (work) => (request, response, next) => Promise.resolve(work(request, response)).catch(next);

router.get(
  '/reports/:name',
  handled(async (request, response) => {
    const file = path.join(top, 'reports', `${path.basename(request.params.name)}.js`);
    if (!fs.existsSync(file)) {
      response.status(404).json({ error: 'no such report' });
      return;
    }
    const report = require(file);
    response.json(await report(stock.all()));
  }),
);

router.get(
  '/about',
  handled((request, response) => {
    const language = request.acceptsLanguages('de', 'en') || 'en';
    const words = require(`../locales/${language}.json`);
    response.vary('Accept-Language').render('about', { words });
  }),
);

router.get(
  '/slug',
  handled(async (request, response) => {
    const { default: slug } = await import('../lib/slug.mjs');
    response.json({ slug: slug(String(request.query.text)) });
  }),
);

router.get(
  '/primes',
  handled((request, response) => {
    const { Worker } = require('node:worker_threads');
    return new Promise((resolve, reject) => {
      const worker = new Worker(path.join(top, 'lib', 'primes.js'), { workerData: 1000 });
      worker.once('message', (count) => resolve(response.json({ count })));
      worker.once('error', reject);
    });
  }),
);

// A text in any character set.
router.post(
  '/import',
  express.text({ type: 'text/*', limit: '10kb' }),
  handled((request, response) => response.json({ lines: String(request.body).trim().split('\n') })),
);

router.get(
  '/peer',
  handled(async (request, response) => {
    try {
      const answer = await fetch(String(request.query.url), { signal: AbortSignal.timeout(5000) });
      response.json({ status: answer.status, type: answer.headers.get('content-type') });
    } catch (error) {
      response.json({ error: error.cause ? error.cause.code : error.name });
    }
  }),
);

router.get(
  '/names',
  handled(async (request, response) => {
    const dns = require('node:dns/promises');
    const found = await dns.lookup('localhost', { family: 4 });
    response.json(found);
  }),
);

router.get(
  '/disk',
  handled(async (request, response) => {
    const { execFile } = require('node:child_process');
    const { promisify } = require('node:util');
    const { stdout } = await promisify(execFile)('du', ['--apparent-size', '--bytes', path.join(top, 'data', 'products.json')]);
    response.json({ bytes: Number.parseInt(stdout, 10) });
  }),
);

router.get(
  '/packed',
  handled((request, response) => {
    const zlib = require('node:zlib');
    const packed = zlib.brotliCompressSync(Buffer.from('hello '.repeat(20)));
    response.json({ size: packed.length, again: zlib.brotliDecompressSync(packed).length });
  }),
);

router.get('/terms.html', (request, response) => response.sendFile(path.join(top, 'public', 'terms.html')));

module.exports = router;
