/** The entry of the page that shares a transcript: times as the reader has them, and links to copy. */

import '../home/copying.js';
import '../lib/times.js';

document.addEventListener('focusin', ({ target }) => {
  if (target instanceof HTMLInputElement && target.matches('.shared-link')) target.select();
});

// What was just made is what is wanted next: its link, to send it.
document.addEventListener('htmx:after:swap', () => {
  /** @type {HTMLElement | null} */ (document.querySelector('[data-just-made] .shared-link'))?.focus();
});
