/** The entry of the page of one’s API tokens: times as the reader has them, and a token to copy. */

import '../home/copying.js';
import '../lib/times.js';

const made = /** @type {HTMLTextAreaElement | null} */ (document.getElementById('token-made'));
made?.addEventListener('focus', () => made.select());

for (const button of document.querySelectorAll('[data-copy]')) {
  /** @type {HTMLElement} */ (button).hidden = false;
}
