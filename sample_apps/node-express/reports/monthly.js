'use strict';

const os = require('node:os');
const util = require('node:util');

// The month of each product's number, as a list.
module.exports = (products) => ({
  months: products.map((product) => new Intl.DateTimeFormat('en', { month: 'long' }).format(new Date(2024, product.id % 12, 1))),
  list: new Intl.ListFormat('es', { type: 'conjunction' }).format(['a', 'b', 'c']),
  line: util.inspect({ end: os.EOL }),
});
