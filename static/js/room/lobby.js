/** What stands before the room: the click that joins, which browsers also want for sound and microphone. */

import { ApiError } from '../lib/api.js';
import { find } from '../lib/dom.js';

export class Lobby {
  #root = find('[data-lobby]');
  #problem = find('[data-lobby-problem]');
  /** @type {HTMLButtonElement[]} */
  #buttons = [...this.#root.querySelectorAll('button')];

  /** @param {(withMicrophone: boolean) => Promise<void>} join its failure is shown here */
  constructor(join) {
    for (const button of this.#buttons) {
      button.addEventListener('click', () => this.#try(() => join(button.dataset.join === 'microphone')));
    }
    // Off until now: a click that came before this script would have been lost.
    this.#busy(false);
  }

  /** The room takes the page over. */
  leave() {
    this.#root.hidden = true;
    for (const part of document.querySelectorAll('[data-joined]')) part.removeAttribute('hidden');
    find('#room').dataset.state = 'joined';
  }

  /** @param {() => Promise<void>} join */
  async #try(join) {
    this.#busy(true);
    this.#problem.hidden = true;
    try {
      await join();
    } catch (error) {
      this.#problem.textContent = error instanceof ApiError ? error.message : 'The server can’t be reached. Check your connection and try again.';
      this.#problem.hidden = false;
      this.#busy(false);
    }
  }

  /** @param {boolean} busy */
  #busy(busy) {
    for (const button of this.#buttons) button.disabled = busy;
  }
}
