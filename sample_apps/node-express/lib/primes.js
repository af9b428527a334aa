'use strict';

// Run in a thread of its own: how many primes there are below a number.
const { parentPort, workerData } = require('node:worker_threads');

let count = 0;
for (let number = 2; number < workerData; number += 1) {
  let prime = true;
  for (let factor = 2; factor * factor <= number && prime; factor += 1) {
    prime = number % factor !== 0;
  }
  count += prime ? 1 : 0;
}
parentPort.postMessage(count);
