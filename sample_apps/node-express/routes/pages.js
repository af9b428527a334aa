'use strict';

const express = require('express');
const stock = require('../stock');

const router = express.Router();

router.get('/', (request, response) => response.render('index', { products: stock.all() }));

router.get('/products/:id', (request, response, next) => {
  const product = stock.find(request.params.id);
  return product ? response.render('product', { product }) : next();
});

router.post('/products', (request, response) => {
  const product = stock.add(request.body.name, Number(request.body.price));
  response.redirect(303, `/products/${product.id}`);
});

router.get('/healthz', (request, response) => response.json({ status: 'ok' }));

router.get('/broken', () => {
  throw new Error('broken on purpose');
});

module.exports = router;
