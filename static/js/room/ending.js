/** The host's "End for everyone", asked twice. */

import { reasonOf } from '../lib/api.js';
import { find } from '../lib/dom.js';

/**
 * Does nothing where the page has no such button.
 * @param {() => Promise<void>} end
 * @param {() => void} done
 */
export function wireEnding(end, done) {
  if (!document.querySelector('[data-end]')) return;
  const dialog = /** @type {HTMLDialogElement} */ (find('[data-end-dialog]'));
  const confirm = /** @type {HTMLButtonElement} */ (find('[data-end-confirm]'));
  const problem = find('[data-end-problem]');
  find('[data-end]').addEventListener('click', () => {
    problem.hidden = true;
    dialog.showModal();
  });
  confirm.addEventListener('click', async () => {
    confirm.disabled = true;
    try {
      await end();
      done();
    } catch (error) {
      problem.textContent = reasonOf(error);
      problem.hidden = false;
      confirm.disabled = false;
    }
  });
}
