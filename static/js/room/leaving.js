/** Leaving. The last host is asked first: with nobody to end it, a session without a host just goes on. */

import { find } from '../lib/dom.js';
import { howLong } from '../lib/text.js';
import { t } from '../lib/words.js';
import { askBeforeLeaving } from './accidents.js';
import { confirmed } from './confirm.js';
import { endForAll } from './ending.js';
import { isRefusal, showRefusal } from './refusal.js';

export class Leaving {
  #dialog = /** @type {HTMLDialogElement} */ (find('[data-leave-dialog]'));
  #end = /** @type {HTMLButtonElement} */ (find('[data-leave-end]'));
  #problem = find('[data-leave-problem]');
  #state;
  #api;
  #unsent;

  /**
   * @param {import('./state.js').State} state
   * @param {import('./actions.js').Actions} actions
   * @param {import('./api.js').RoomApi} api
   * @param {() => number} unsent whole seconds of our speech that would be lost
   */
  constructor(state, actions, api, unsent) {
    this.#state = state;
    this.#api = api;
    this.#unsent = unsent;
    actions.on('leave', (_, click) => void this.#click(click));
    actions.on('leave-anyway', () => this.#go());
    actions.on('end-and-leave', () => void endForAll(api, this.#end, this.#problem));
    state.when('over', (why) => this.#over(why));
    askBeforeLeaving(() => this.#matters);
  }

  /** Whether to close this page would leave a call, or lose what was said. */
  get #matters() {
    const { me, call } = this.#state;
    if (me.left || !me.person.identity) return false;
    return me.microphone.isOn || me.camera.isOn || call.state === 'live' || this.#unsent() > 0;
  }

  /** Gives microphone, camera, call and connection up. */
  #leave() {
    this.#state.set('me', { left: true });
    this.#state.happen('left');
  }

  /** @param {string} why we can't stay */
  #over(why) {
    this.#leave();
    if (isRefusal(why)) showRefusal(why);
    else this.#api.show();
  }

  /** @param {Event} event the click on Leave, a link to the page for those who left */
  async #click(event) {
    const hosts = this.#state.faces.filter(({ role }) => role === 'HOST');
    const lastHost = hosts.length === 1 && hosts[0].me;
    const unsent = this.#unsent();
    if (!lastHost && !unsent) return this.#leave();
    event.preventDefault();
    if (unsent && !(await confirmed(t('Leave, and lose what you said?'), unsentWords(unsent), t('Leave')))) return;
    if (lastHost) this.#ask();
    else this.#go();
  }

  #ask() {
    const alone = this.#state.faces.length < 2;
    find('[data-leave-stay-words]').textContent = stayWords(alone);
    find('[data-leave-end-words]').textContent = endWords(alone);
    this.#problem.hidden = true;
    this.#dialog.showModal();
  }

  #go() {
    this.#leave();
    location.assign(/** @type {HTMLAnchorElement} */ (find('[data-leave]')).href);
  }
}

/** @param {boolean} alone */
function stayWords(alone) {
  return alone
    ? t('Nobody else is here. The session stays open: you can come back, and after half an hour without anybody it ends.')
    : t('The others can go on talking. Who knocks has to wait until a host is back.');
}

/** @param {boolean} alone */
function endWords(alone) {
  return alone
    ? t('It is over, and its link shows what was said.')
    : t('Everybody leaves the call. The session’s link then shows what was said.');
}

/** @param {number} seconds */
function unsentWords(seconds) {
  return t('{time} of what you said could not be sent yet. If you stay, it is sent by itself once the connection is back.', {
    time: howLong(seconds),
  });
}
