/** The dialog for devices, and for a host the session's title. */

import { reasonOf } from '../lib/api.js';
import { find } from '../lib/dom.js';

export class Settings {
  #dialog = /** @type {HTMLDialogElement} */ (find('[data-settings-dialog]'));
  #meter = /** @type {HTMLMeterElement} */ (find('[data-meter]'));
  #form = /** @type {HTMLFormElement} */ (find('[data-title-form]'));
  #title = /** @type {HTMLInputElement} */ (find('[data-title-field]'));
  #problem = find('[data-title-problem]');
  #was = ''; // the title that the host has seen

  /**
   * @param {import('./state.js').State} state
   * @param {import('./actions.js').Actions} actions
   * @param {import('./api.js').RoomApi} api
   */
  constructor(state, actions, api) {
    actions.on('settings', () => this.#open(state.session.title));
    state.on(['me'], ({ me }) => (this.#form.hidden = me.person.role !== 'HOST'));
    state.when('level', (level) => this.#dialog.open && (this.#meter.value = level));
    this.#form.addEventListener('submit', async (event) => {
      event.preventDefault();
      this.#problem.hidden = true;
      try {
        await api.settings({ title: this.#title.value.trim(), was_title: this.#was });
        this.#dialog.close();
      } catch (error) {
        this.#was = state.session.title ?? this.#was; // others may have changed it: that is seen now
        this.#problem.textContent = reasonOf(error);
        this.#problem.hidden = false;
      }
    });
  }

  /** @param {string | null | undefined} title as it is now; undefined: as the page was told */
  #open(title) {
    if (title !== undefined) this.#title.value = title ?? '';
    this.#was = this.#title.value;
    this.#problem.hidden = true;
    this.#dialog.showModal();
  }
}
