/** The entry of the page of a space: times as the reader has them, and links of invitations to copy. */

import '../lib/times.js';
import { t } from '../lib/words.js';

for (const button of document.querySelectorAll('[data-copy-link]')) {
  const link = /** @type {HTMLInputElement} */ (button.parentElement?.querySelector('.invitation-link'));
  const words = /** @type {HTMLElement} */ (button.querySelector('[data-copy-text]'));
  link.addEventListener('focus', () => link.select());
  if (!navigator.clipboard) continue; // without https: the field can be copied by hand
  /** @type {HTMLElement} */ (button).hidden = false;
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(link.value);
      words.textContent = t('Copied');
    } catch {
      link.focus();
    }
  });
}
