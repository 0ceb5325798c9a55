/** The buttons that copy the session's link. */

import { copied } from '../lib/clipboard.js';
import { find } from '../lib/dom.js';
import { t } from '../lib/words.js';

const SAID_FOR = 2_000;

/**
 * @param {string} link
 * @param {boolean} local whether it works on this computer only
 */
export function wireSharing(link, local) {
  const field = /** @type {HTMLInputElement} */ (find('[data-link-field]'));
  field.addEventListener('focus', () => field.select());
  for (const button of document.querySelectorAll('[data-copy]')) {
    button.addEventListener('click', () => copy(link, local, find('[data-copy-text]', button)));
  }
}

/**
 * @param {string} link
 * @param {boolean} local
 * @param {HTMLElement} label
 */
async function copy(link, local, label) {
  const said = local ? t('Copied, for this computer') : t('Copied');
  label.textContent = (await copied(link)) ? said : t('Copy the address above');
  setTimeout(() => (label.textContent = t('Copy link')), SAID_FOR);
}
