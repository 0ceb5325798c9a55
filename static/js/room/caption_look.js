/** How captions look to whoever reads them: chosen in the settings, kept in this browser, told by attributes of the room. */

import { find } from '../lib/dom.js';
import { keep, recall } from '../lib/kept.js';

const KEPT = 'captions';

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

  /** How many lines captions over the picture may take at most. */
  get lines() {
    return Number(this.#room.dataset.captionLines);
  }

  /** @param {HTMLSelectElement} choice */
  #attach(choice) {
    const name = choice.dataset.captionLook ?? '';
    const kept = recall(`${KEPT}.${name}`);
    // What an older or newer release kept may be no choice any more.
    if ([...choice.options].some(({ value }) => value === kept)) choice.value = kept ?? '';
    const tell = () => this.#room.setAttribute(`data-caption-${name}`, choice.value);
    tell();
    choice.addEventListener('change', () => {
      keep(`${KEPT}.${name}`, choice.value);
      tell();
      this.#changed();
    });
  }
}
