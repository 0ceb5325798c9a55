/** Leaving. The last host is asked first: with nobody to end it, a session without a host just goes on. */

import { reasonOf } from '../lib/api.js';
import { find } from '../lib/dom.js';
import { howLong } from '../lib/text.js';
import { t } from '../lib/words.js';
import { confirmed } from './confirm.js';

/**
 * @typedef {object} LeavingActions
 * @property {() => number} unsent seconds of our speech that would be lost
 * @property {() => void} leave gives microphone, call and connection up
 * @property {() => Promise<void>} end for everyone
 * @property {() => void} ended
 */

export class Leaving {
  #dialog = /** @type {HTMLDialogElement} */ (find('[data-leave-dialog]'));
  #end = /** @type {HTMLButtonElement} */ (find('[data-leave-end]'));
  #problem = find('[data-leave-problem]');
  #actions;
  /** @type {import('../types').Face[]} everybody who is here */
  #faces = [];

  /** @param {LeavingActions} actions */
  constructor(actions) {
    this.#actions = actions;
    find('[data-leave-stay]').addEventListener('click', () => this.#go());
    this.#end.addEventListener('click', () => this.#endForAll());
  }

  /** @param {import('../types').Face[]} faces everybody who is here now */
  show(faces) {
    this.#faces = faces;
  }

  /** @param {Event} event the click on Leave, a link to the page for those who left */
  async click(event) {
    const hosts = this.#faces.filter(({ role }) => role === 'HOST');
    const lastHost = hosts.length === 1 && hosts[0].me;
    const unsent = this.#actions.unsent();
    if (!lastHost && !unsent) return this.#actions.leave();
    event.preventDefault();
    if (unsent && !(await confirmed(t('Leave, and lose what you said?'), unsentWords(unsent), t('Leave')))) return;
    if (lastHost) this.#ask();
    else this.#go();
  }

  #ask() {
    const alone = this.#faces.length < 2;
    find('[data-leave-stay-words]').textContent = stayWords(alone);
    find('[data-leave-end-words]').textContent = endWords(alone);
    this.#problem.hidden = true;
    this.#dialog.showModal();
  }

  #go() {
    this.#actions.leave();
    location.assign(/** @type {HTMLAnchorElement} */ (find('[data-leave]')).href);
  }

  async #endForAll() {
    this.#end.disabled = true;
    try {
      await this.#actions.end();
      this.#actions.ended();
    } catch (error) {
      this.#problem.textContent = reasonOf(error);
      this.#problem.hidden = false;
      this.#end.disabled = false;
    }
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
