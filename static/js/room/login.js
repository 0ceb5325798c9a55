/**
 * Whether we are still signed in: that may end in another tab, or run out. Then this page is nobody any more: it hears
 * and sends nothing, stays as it is on screen, and goes on once we are signed in again.
 */

import { t } from '../lib/words.js';
import { leaveOnPurpose } from './accidents.js';

// A small page that sends people back here; the meeting itself stays as it is.
const WAY_BACK = '/sign-in?next=/signed-in';

/** @typedef {import('../types').Ticket} Ticket */

export class Login {
  #api;
  #notices;
  #back;
  // The last passes that were ours: they end with the login that they were given for.
  #last;
  #out = false;
  // This browser is signed in as somebody else.
  #other = false;
  #looking = false;

  /**
   * @param {import('./api.js').RoomApi} api
   * @param {import('./notices.js').Notices} notices
   * @param {Ticket} ticket with which we came in
   * @param {() => void} back we are who we were again
   */
  constructor(api, notices, ticket, back) {
    this.#back = back;
    this.#api = api;
    this.#notices = notices;
    this.#last = ticket;
    api.onLogin = (signedIn) => this.#seen(signedIn);
    document.addEventListener('visibilitychange', () => document.hidden || void this.#lookAgain());
    window.addEventListener('focus', () => void this.#lookAgain());
  }

  /**
   * Fresh passes; the last ones while this browser is somebody else: this page stays who it is.
   * @returns {Promise<Ticket>} throws ApiError when refused, 401 while we are signed out
   */
  async join() {
    const ticket = await this.#api.join();
    if ('waiting' in ticket) {
      // Who was let in once waits no more: it is somebody else who knocks.
      this.#sayOther(
        t('You’re signed in as somebody else now. Here you were {before}.', { before: this.#last.you.name }),
        t('Join as somebody else'),
      );
    } else if (ticket.you.identity === this.#last.you.identity) {
      this.#last = ticket;
      this.#sayMe();
    } else {
      this.#sayWho(ticket.you.name);
    }
    return this.#last;
  }

  async #lookAgain() {
    if (this.#looking || !(this.#out || this.#other)) return;
    this.#looking = true;
    // Without an answer nothing is known, and nothing changes.
    await this.join().catch(() => {});
    this.#looking = false;
  }

  /** @param {boolean} signedIn as our server saw it just now; as whom, only `join` learns */
  #seen(signedIn) {
    if (signedIn) {
      if (this.#out) void this.#lookAgain();
      return;
    }
    this.#out = true;
    const act = () => void window.open(WAY_BACK, '_blank');
    const text = t('You were signed out. Nobody hears or sees you here, and what others say doesn’t come in.');
    this.#notices.set('login', text, { label: t('Sign in again'), act });
  }

  #sayMe() {
    if (!this.#out && !this.#other) return;
    this.#out = this.#other = false;
    this.#notices.set('login', null);
    this.#notices.toast(t('You’re signed in again.'));
    this.#back();
  }

  /** @param {string} name who this browser is now */
  #sayWho(name) {
    const text = t('You’re signed in as {name} now. Here you were {before}.', { name, before: this.#last.you.name });
    this.#sayOther(text, t('Join as {name}', { name }));
  }

  /**
   * @param {string} text
   * @param {string} label of the button that begins anew
   */
  #sayOther(text, label) {
    this.#out = false;
    this.#other = true;
    this.#notices.set('login', text, { label, act: () => [leaveOnPurpose(), location.reload()] });
  }
}
