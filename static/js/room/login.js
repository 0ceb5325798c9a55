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
  #state;
  #api;
  /** @type {Ticket | null} The last passes that were ours: they end with the login that they were given for. */
  #last = null;
  #out = false;
  // This browser is signed in as somebody else.
  #other = false;
  #looking = false;

  /**
   * @param {import('./state.js').State} state
   * @param {import('./actions.js').Actions} actions
   * @param {import('./api.js').RoomApi} api
   */
  constructor(state, actions, api) {
    this.#state = state;
    this.#api = api;
    actions.on('sign-in', () => void window.open(WAY_BACK, '_blank'));
    actions.on('start-anew', () => {
      leaveOnPurpose();
      location.reload();
    });
    state.when('joined', (ticket) => {
      this.#last = ticket;
      api.onLogin = (signedIn) => this.#seen(signedIn);
    });
    document.addEventListener('visibilitychange', () => document.hidden || void this.#lookAgain());
    window.addEventListener('focus', () => void this.#lookAgain());
  }

  /**
   * Fresh passes; the last ones while this browser is somebody else: this page stays who it is.
   * @returns {Promise<Ticket>} throws ApiError when refused, 401 while we are signed out
   */
  async join() {
    const ticket = await this.#api.join();
    const last = /** @type {Ticket} */ (this.#last);
    const before = last.you.name;
    if ('waiting' in ticket) {
      // Who was let in once waits no more: it is somebody else who knocks.
      this.#sayOther(t('You’re signed in as somebody else now. Here you were {before}.', { before }), t('Join as somebody else'));
    } else if (ticket.you.identity === last.you.identity) {
      this.#last = ticket;
      this.#sayMe();
    } else {
      const { name } = ticket.you;
      this.#sayOther(t('You’re signed in as {name} now. Here you were {before}.', { name, before }), t('Join as {name}', { name }));
    }
    return /** @type {Ticket} */ (this.#last);
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
    this.#state.notice('login', {
      text: t('You were signed out. Nobody hears or sees you here, and what others say doesn’t come in.'),
      offer: { label: t('Sign in again'), act: 'sign-in' },
    });
  }

  #sayMe() {
    if (!this.#out && !this.#other) return;
    this.#out = this.#other = false;
    this.#state.notice('login', null);
    this.#state.toast(t('You’re signed in again.'));
    this.#state.happen('signedIn');
  }

  /**
   * @param {string} text
   * @param {string} label of the button that begins anew
   */
  #sayOther(text, label) {
    this.#out = false;
    this.#other = true;
    this.#state.notice('login', { text, offer: { label, act: 'start-anew' } });
  }
}
