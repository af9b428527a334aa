// An ECMAScript module, imported when the first name is to be made fit for an address.
import { transliterate } from './letters.mjs';

export default function slug(text) {
  return transliterate(text).toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '');
}
