/** Which of our own tabs, windows and devices has the microphone and the call. The server decides; here it is said. */

import { t } from '../lib/words.js';

export class Place {
  #notices;
  #take;
  #active = true;
  // We asked for it: what comes then is no surprise.
  #asked = false;

  /**
   * @param {import('./notices.js').Notices} notices
   * @param {() => boolean} take asks the server; false when there is no connection
   */
  constructor(notices, take) {
    this.#notices = notices;
    this.#take = take;
  }

  get isActive() {
    return this.#active;
  }

  /**
   * @param {boolean} active as the server says
   * @returns {boolean} whether that is new
   */
  set(active) {
    if (active === this.#active) return false;
    this.#active = active;
    this.#notices.set('place', active ? null : elsewhere(), this.#action());
    if (active) this.#notices.toast(this.#asked ? t('Sound is here now. Your microphone is off.') : back());
    this.#asked = false;
    return true;
  }

  /** Reminds of it whoever wants to turn something on here. @returns {boolean} whether it is elsewhere */
  refuses() {
    if (!this.#active) this.#notices.toast(elsewhere(), this.#action());
    return !this.#active;
  }

  #action() {
    return { label: t('Use this one'), act: () => void (this.#asked = this.#take()) };
  }
}

function elsewhere() {
  return t('This meeting is open in another tab or window of yours. Sound and microphone are there.');
}

function back() {
  return t('Your other tab or window is gone, so sound is here again. Your microphone is off.');
}
