/** The one dialog that asks before something of consequence. */

import { find } from '../lib/dom.js';

/**
 * @param {string} title
 * @param {string} text what will happen
 * @param {string} verb on the button that does it
 * @param {boolean} [danger] whether somebody loses something by it
 * @returns {Promise<boolean>}
 */
export function confirmed(title, text, verb, danger = true) {
  const dialog = /** @type {HTMLDialogElement} */ (find('[data-confirm-dialog]'));
  find('h2', dialog).textContent = title;
  find('p', dialog).textContent = text;
  const yes = find('[data-confirm-yes]', dialog);
  yes.textContent = verb;
  yes.classList.toggle('danger', danger);
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true }));
}
