/** The one dialog that asks before something that can't be taken back. */

import { find } from '../lib/dom.js';

/**
 * @param {string} title
 * @param {string} text what will happen
 * @param {string} verb on the button that does it
 * @returns {Promise<boolean>}
 */
export function confirmed(title, text, verb) {
  const dialog = /** @type {HTMLDialogElement} */ (find('[data-confirm-dialog]'));
  find('h2', dialog).textContent = title;
  find('p', dialog).textContent = text;
  find('[data-confirm-yes]', dialog).textContent = verb;
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true }));
}
