/**
 * How captions look to whoever reads them: chosen in the settings, told by attributes of the room. This browser keeps
 * it, and of who is signed in the server, too, so that it follows them to others.
 */

import { post } from '../lib/api.js';
import { find } from '../lib/dom.js';
import { keep, recall } from '../lib/kept.js';

const KEPT = 'captions';
const UNSENT = 'captions-unsent';

/** Attached to every `[data-caption-look]` choice: its value becomes `data-caption-…` of the room. */
export class CaptionLook {
  #room = find('#room');
  #changed;

  /** @param {() => void} changed after every choice */
  constructor(changed) {
    this.#changed = changed;
    const choices = /** @type {NodeListOf<HTMLSelectElement>} */ (document.querySelectorAll('[data-caption-look]'));
    for (const choice of choices) this.#attach(choice);
  }

  get #signedIn() {
    return this.#room.dataset.guest === undefined;
  }

  /** How many lines captions over the picture may take at most. */
  get lines() {
    return Number(this.#room.dataset.captionLines);
  }

  /** @param {HTMLSelectElement} choice */
  #attach(choice) {
    const name = choice.dataset.captionLook ?? '';
    const own = recall(`${KEPT}.${name}`);
    const unsent = recall(`${UNSENT}.${name}`) === 'yes' && this.#signedIn;
    // The server's choice came with the page, unless it has yet to hear of the one that was made here.
    const kept = unsent ? own : (choice.dataset.kept ?? own);
    // What an older or newer release kept may be no choice any more.
    if ([...choice.options].some(({ value }) => value === kept)) choice.value = kept ?? '';
    const tell = () => this.#room.setAttribute(`data-caption-${name}`, choice.value);
    tell();
    if (unsent) void this.#send(name, choice.value);
    choice.addEventListener('change', () => {
      keep(`${KEPT}.${name}`, choice.value);
      tell();
      this.#changed();
      void this.#send(name, choice.value);
    });
  }

  /**
   * Has the server keep a choice; one that it didn't take is sent again with the next page.
   * @param {string} name
   * @param {string} value
   */
  async #send(name, value) {
    if (!this.#signedIn) return;
    keep(`${UNSENT}.${name}`, 'yes');
    try {
      await post('/profile/look', { [`caption-${name}`]: value });
      keep(`${UNSENT}.${name}`, 'no');
    } catch {
      // It counts here all the same.
    }
  }
}
