'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs/promises');
const path = require('node:path');
const tls = require('node:tls');
const zlib = require('node:zlib');
const express = require('express');
const stock = require('../stock');

const router = express.Router();
const uploads = path.join(__dirname, '..', 'uploads');

router.get('/products', (request, response) => response.json(stock.all()));

router.post('/products', (request, response) => {
  const product = stock.add(request.body.name, request.body.price);
  response.status(201).location(`/api/products/${product.id}`).json(product);
});

router.get('/products/:id', (request, response, next) => {
  const product = stock.find(request.params.id);
  return product ? response.json(product) : next();
});

router.get('/price', (request, response) => {
  const { amount = '0', currency = 'EUR', locale = 'de-DE' } = request.query;
  const text = new Intl.NumberFormat(locale, { style: 'currency', currency }).format(Number(amount));
  response.json({ text });
});

router.get('/time', (request, response) => {
  const { at = '0', zone = 'UTC', locale = 'en-GB' } = request.query;
  const format = new Intl.DateTimeFormat(locale, { dateStyle: 'full', timeStyle: 'long', timeZone: zone });
  response.json({ time: format.format(new Date(Number(at) * 1000)) });
});

router.get('/trust', (request, response) => {
  response.json({ authorities: tls.rootCertificates.length > 0, tls: tls.DEFAULT_MAX_VERSION });
});

router.put('/files/:name', express.raw({ type: '*/*', limit: '100kb' }), async (request, response, next) => {
  try {
    const name = path.basename(request.params.name);
    await fs.writeFile(path.join(uploads, name), request.body);
    response.status(201).json({
      name,
      sha256: crypto.createHash('sha256').update(request.body).digest('hex'),
      packed: zlib.gzipSync(request.body).length > 0,
    });
  } catch (error) {
    next(error);
  }
});

router.get('/files', async (request, response, next) => {
  try {
    response.json((await fs.readdir(uploads)).sort());
  } catch (error) {
    next(error);
  }
});

module.exports = router;
