/** What only hosts see and do: to people, to who may come in, and the end for everyone. The server checks all of it. */

import { reasonOf } from '../lib/api.js';
import { find } from '../lib/dom.js';
import { t } from '../lib/words.js';
import { confirmed } from './confirm.js';
import { wireEnding } from './ending.js';

export class Hosting {
  #api;
  #notices;
  #settings;

  /**
   * @param {import('./api.js').RoomApi} api
   * @param {import('./notices.js').Notices} notices
   * @param {import('./settings.js').Settings} settings
   */
  constructor(api, notices, settings) {
    this.#api = api;
    this.#notices = notices;
    this.#settings = settings;
    wireEnding(
      () => api.end(),
      () => api.show(),
    );
  }

  /** @param {boolean} host whether we are one now */
  show(host) {
    find('[data-end]').hidden = !host;
    this.#settings.hosting(host);
  }

  /**
   * Asks first where it can't be taken back.
   * @param {import('../types').HostAction} action
   * @param {{ identity: string, name: string }} person
   */
  async act(action, { identity, name }) {
    if (!(await meant(action, name))) return;
    try {
      const { call: trouble } = await this.#api.act(identity, action);
      if (trouble) this.#notices.toast(trouble.message);
    } catch (error) {
      this.#notices.toast(reasonOf(error));
    }
  }

  /** @param {'admit-all' | 'mute-all'} action */
  async actOnAll(action) {
    try {
      const { call: trouble } = await this.#api.actOnAll(action);
      if (trouble) this.#notices.toast(trouble.message);
    } catch (error) {
      this.#notices.toast(reasonOf(error));
    }
  }

  /** @param {Record<string, string>} fields who may come in */
  async change(fields) {
    await this.#api.settings(fields).catch((error) => this.#notices.toast(reasonOf(error)));
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
    return confirmed(t('Make {name} a host?', { name }), text, t('Make host'));
  }
  return true;
}
