/** The buttons that copy the session's link. */

import { find } from '../lib/dom.js';

const SAID_FOR = 2_000;

/** @param {string} link */
export function wireSharing(link) {
  const field = /** @type {HTMLInputElement} */ (find('[data-link-field]'));
  field.addEventListener('focus', () => field.select());
  for (const button of document.querySelectorAll('[data-copy]')) {
    button.addEventListener('click', () => copy(link, field, find('[data-copy-text]', button)));
  }
}

/**
 * @param {string} link
 * @param {HTMLInputElement} field
 * @param {HTMLElement} label
 */
async function copy(link, field, label) {
  let said = 'Copied';
  try {
    await navigator.clipboard.writeText(link);
  } catch {
    // Without a secure origin there is no clipboard: the selected field is the next best thing.
    field.focus();
    said = 'Copy it from the field';
  }
  label.textContent = said;
  setTimeout(() => (label.textContent = 'Copy link'), SAID_FOR);
}
