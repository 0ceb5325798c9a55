/** The dialog for devices, and for a host the session's title. */

import { reasonOf } from '../lib/api.js';
import { find } from '../lib/dom.js';

export class Settings {
  #dialog = /** @type {HTMLDialogElement} */ (find('[data-settings-dialog]'));
  #meter = /** @type {HTMLMeterElement} */ (find('[data-meter]'));
  #form = /** @type {HTMLFormElement} */ (find('[data-title-form]'));
  #title = /** @type {HTMLInputElement} */ (find('[data-title-field]'));
  #problem = find('[data-title-problem]');

  /** @param {(title: string) => Promise<void>} rename */
  constructor(rename) {
    this.#form.addEventListener('submit', async (event) => {
      event.preventDefault();
      this.#problem.hidden = true;
      try {
        await rename(this.#title.value.trim());
        this.#dialog.close();
      } catch (error) {
        this.#problem.textContent = reasonOf(error);
        this.#problem.hidden = false;
      }
    });
  }

  open() {
    this.#problem.hidden = true;
    this.#dialog.showModal();
  }

  /** @param {string} title */
  title(title) {
    if (!this.#dialog.open) this.#title.value = title;
  }

  /** @param {boolean} host whether the title may be changed */
  hosting(host) {
    this.#form.hidden = !host;
  }

  /** @param {number} level 0 to 1 */
  level(level) {
    if (this.#dialog.open) this.#meter.value = level;
  }
}
