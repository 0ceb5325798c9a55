/** What only hosts see and do: to people, to who may come in, and the end for everyone. The server checks all of it. */

import { reasonOf } from '../lib/api.js';
import { find } from '../lib/dom.js';
import { t } from '../lib/words.js';
import { confirmed } from './confirm.js';
import { endForAll } from './ending.js';

export class Hosting {
  #endDialog = /** @type {HTMLDialogElement} */ (find('[data-end-dialog]'));
  #end = /** @type {HTMLButtonElement} */ (find('[data-end-confirm]'));
  #endProblem = find('[data-end-problem]');
  #state;
  #api;

  /**
   * @param {import('./state.js').State} state
   * @param {import('./actions.js').Actions} actions
   * @param {import('./api.js').RoomApi} api
   */
  constructor(state, actions, api) {
    this.#state = state;
    this.#api = api;
    actions.on('act', ({ action, ...person }) => void this.#act(action, person));
    actions.on('admit-all', () => void this.#do(() => api.actOnAll('admit-all')));
    actions.on('mute-all', () => void this.#do(() => api.actOnAll('mute-all')));
    actions.on('pause', () => void this.#do(() => api.actOnAll('pause')));
    actions.on('resume', () => void this.#do(() => api.actOnAll('resume')));
    actions.on('door', (fields) => this.#change(fields));
    actions.on('end', () => this.#askToEnd());
    actions.on('end-for-all', () => void endForAll(api, this.#end, this.#endProblem));
    state.on(['me'], ({ me }) => (find('[data-end]').hidden = me.person.role !== 'HOST'));
  }

  #askToEnd() {
    this.#endProblem.hidden = true;
    this.#endDialog.showModal();
  }

  /**
   * Asks first where it can't be taken back.
   * @param {import('../types').HostAction} action
   * @param {{ identity: string, name: string }} person
   */
  async #act(action, { identity, name }) {
    if (await meant(action, name)) await this.#do(() => this.#api.act(identity, action));
  }

  /**
   * @param {Record<string, string>} fields who may come in
   * @returns {Promise<boolean>} whether the server took it; why not is said
   */
  async #change(fields) {
    return this.#do(async () => {
      await this.#api.settings(fields);
      return {};
    });
  }

  /**
   * @param {() => Promise<{ call?: { message: string } }>} request
   * @returns {Promise<boolean>} whether the server took it; what it or the call did not do is said
   */
  async #do(request) {
    try {
      const { call: trouble } = await request();
      if (trouble) this.#state.toast(trouble.message);
      return true;
    } catch (error) {
      this.#state.toast(reasonOf(error));
      return false;
    }
  }
}

/**
 * @param {import('../types').HostAction} action
 * @param {string} name
 * @returns {Promise<boolean>} whether it is to be done
 */
async function meant(action, name) {
  if (action === 'remove') {
    return confirmed(t('Remove {name}?', { name }), t('They leave at once and can’t come back to this session.'), t('Remove'));
  }
  if (action === 'host') {
    const text = t('They can then let people in, mute and remove them, and end the session for everyone.');
    return confirmed(t('Make {name} a host?', { name }), text, t('Make host'), false);
  }
  return true;
}
