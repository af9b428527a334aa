'use strict';

const fs = require('node:fs');
const path = require('node:path');

const products = JSON.parse(fs.readFileSync(path.join(__dirname, 'data', 'products.json'), 'utf8'));

function failure(message) {
  return Object.assign(new Error(message), { status: 422 });
}

exports.all = () => products;

exports.find = (id) => products.find((product) => product.id === Number(id));

exports.add = (name, price) => {
  if (typeof name !== 'string' || name === '') {
    throw failure('a name is needed');
  }
  if (!Number.isFinite(price)) {
    throw failure('a price is needed');
  }
  const product = { id: products.length + 1, name, price };
  products.push(product);
  return product;
};
