/**
 * What can be done in the room, by name: a button says in `data-do` what it does, a key or a notice posts the same name,
 * and the one part whose business it is does it. What a part needs of another is posted, too.
 */

import { t } from '../lib/words.js';

/** @typedef {import('../types').Acts} Acts */

// What turns something on, which can't be where we are signed out, or while another page of ours has it.
const TURNS_ON = new Set(['microphone', 'camera', 'share']);

export class Actions {
  #state;
  /** @type {Partial<Acts>} */
  #acts = {};

  /** @param {import('./state.js').State} state */
  constructor(state) {
    this.#state = state;
    document.addEventListener('click', (event) => {
      const button = event.target instanceof Element ? event.target.closest('[data-do]') : null;
      if (button instanceof HTMLElement) this.press(button, event);
    });
  }

  /**
   * @template {keyof Acts} N
   * @param {N} name
   * @param {Acts[N]} act
   */
  on(name, act) {
    this.#acts[name] = act;
  }

  /**
   * @template {keyof Acts} N
   * @param {N} name
   * @param {Parameters<Acts[N]>} how
   * @returns {ReturnType<Acts[N]> | false} what it gives; false when it can't be done now, which is said
   */
  post(name, ...how) {
    const act = /** @type {((...how: unknown[]) => ReturnType<Acts[N]>) | undefined} */ (this.#acts[name]);
    if (!act) throw new Error(`nobody does ${name}`);
    // What is turned off is never refused: a key that is let go says so wherever it is.
    const off = /** @type {{ on?: boolean } | undefined} */ (how[0])?.on === false;
    if (TURNS_ON.has(name) && !off && this.#refuses()) return false;
    return act(...how);
  }

  /**
   * @param {HTMLElement} button whose `data-` attributes say what it does, and to what
   * @param {Event} [event] the click
   */
  press({ dataset }, event) {
    const post = /** @type {(name: string, ...how: unknown[]) => unknown} */ (this.post.bind(this));
    post(dataset.do ?? '', { ...dataset }, event);
  }

  /** @returns {boolean} whether nothing can be turned on here, which is said */
  #refuses() {
    if (this.#state.me.signedOut) this.#state.toast(notNow());
    else if (!this.#state.me.active) this.#state.toast(elsewhere(), takeHere());
    return !this.#state.isHere;
  }
}

export function notNow() {
  return t('Not connected right now: try again in a moment.');
}

export function elsewhere() {
  return t('This meeting is open in another tab or window of yours. Sound and microphone are there.');
}

/** @returns {import('../types').Offer} */
export function takeHere() {
  return { label: t('Use this one'), act: 'take' };
}
