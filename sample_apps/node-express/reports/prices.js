'use strict';

const { performance } = require('node:perf_hooks');
const { Transform, pipeline } = require('node:stream');
const { promisify } = require('node:util');

// The sum of all prices, by way of a stream.
module.exports = async (products) => {
  let sum = 0;
  const adding = new Transform({
    objectMode: true,
    transform(product, encoding, done) {
      sum += Math.round(product.price);
      done();
    },
  });
  const { Readable } = require('node:stream');
  await promisify(pipeline)(Readable.from(products.slice(0, 2)), adding);
  return { sum, measured: performance.now() > 0 };
};
