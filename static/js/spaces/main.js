/** The entry of the page of a space: times as the reader has them, and links of invitations to copy. */

import { copied } from '../lib/clipboard.js';
import '../lib/times.js';
import { t } from '../lib/words.js';

for (const button of document.querySelectorAll('[data-copy-link]')) {
  const link = /** @type {HTMLInputElement} */ (button.parentElement?.querySelector('.invitation-link'));
  const words = /** @type {HTMLElement} */ (button.querySelector('[data-copy-text]'));
  link.addEventListener('focus', () => link.select());
  /** @type {HTMLElement} */ (button).hidden = false;
  button.addEventListener('click', async () => {
    if (await copied(link.value)) words.textContent = t('Copied');
    else link.focus();
  });
}
