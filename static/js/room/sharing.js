/** The buttons that copy the session's link. */

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
  let said = local ? t('Copied, for this computer') : t('Copied');
  try {
    await navigator.clipboard.writeText(link);
  } catch {
    // Without a secure origin there is no clipboard, but the old way still works there.
    if (!copiedFromField(link)) said = t('Copy the address above');
  }
  label.textContent = said;
  setTimeout(() => (label.textContent = t('Copy link')), SAID_FOR);
}

/**
 * @param {string} text
 * @returns {boolean} whether the browser took it
 */
function copiedFromField(text) {
  const before = document.activeElement;
  const field = document.createElement('textarea');
  field.value = text;
  field.className = 'visually-hidden';
  document.body.append(field);
  field.select();
  const copied = document.execCommand('copy');
  field.remove();
  if (before instanceof HTMLElement) before.focus();
  return copied;
}
