import { createRequire } from 'node:module';

const pairs = createRequire(import.meta.url)('./letters.json');

export const transliterate = (text) =>
  text.replace(/./gu, (letter) => pairs[letter] ?? letter.normalize('NFD').replace(/\p{Mark}/gu, ''));
