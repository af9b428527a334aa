#!/usr/bin/env node
'use strict';

// For those who run the shop: bin/stock.js list [--colour] | check
const readline = require('node:readline');
const stock = require('../stock');

async function main([action, ...options]) {
  switch (action) {
    case 'list': {
      const { styleText = (colour, text) => text } = require('node:util');
      for (const product of stock.all()) {
        console.log(options.includes('--colour') ? styleText('blue', product.name) : product.name);
      }
      return 0;
    }
    case 'check': {
      const assert = require('node:assert/strict');
      for await (const line of readline.createInterface({ input: process.stdin })) {
        assert.ok(stock.all().some((product) => product.name === line), `there is no ${line}`);
      }
      console.log('all there');
      return 0;
    }
    default:
      console.error('usage: stock.js list | check');
      return 64;
  }
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error) => {
    console.error(error.message);
    process.exitCode = 1;
  },
);
