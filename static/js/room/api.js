/** The requests of a room: in, what a host may do, and the end for everyone. */

import { ApiError, post } from '../lib/api.js';
import { leaveOnPurpose } from './accidents.js';

/** @typedef {import('../types').Ticket} Ticket */
/** @typedef {import('../types').Waiting} Waiting */

export class RoomApi {
  #path;
  /** @type {(signedIn: boolean) => void} told after every request that shows it */
  onLogin = () => {};

  /** @param {string} slug */
  constructor(slug) {
    this.#path = `/s/${encodeURIComponent(slug)}`;
  }

  /**
   * @param {URLSearchParams} [door] what it showed, and what was answered
   * @returns {Promise<Ticket | Waiting>} fresh tokens, or the knock is unanswered; throws ApiError when refused
   */
  join(door) {
    return this.#post('join', door);
  }

  /**
   * @param {boolean} given whether we want to be transcribed from now on
   * @param {string} identity as whom: this browser may be somebody else by now
   */
  consent(given, identity) {
    return this.#post('consent', { consent: given ? 'yes' : 'no', identity });
  }

  /**
   * Only a host may.
   * @param {string} identity
   * @param {import('../types').HostAction} action
   * @returns {Promise<{ call?: { message: string } }>} `call`: what the video server could not be told
   */
  act(identity, action) {
    return this.#post(`people/${encodeURIComponent(identity)}/${action}`);
  }

  /**
   * To many at once. Only a host may.
   * @param {'admit-all' | 'mute-all' | 'pause' | 'resume'} action
   * @returns {Promise<{ call?: { message: string } }>} as above
   */
  actOnAll(action) {
    return post(`${this.#path}/${action}`);
  }

  /**
   * Changes who may come in, or the title. Only a host may.
   * @param {Record<string, string>} fields
   */
  settings(fields) {
    return this.#post('settings', fields);
  }

  /** Ends the session for everybody. Only a host may. */
  end() {
    return this.#post('end');
  }

  /**
   * @param {string} what
   * @param {Record<string, string> | URLSearchParams} [fields]
   */
  async #post(what, fields) {
    try {
      const answer = await post(`${this.#path}/${what}`, fields);
      this.onLogin(true);
      return answer;
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) this.onLogin(false);
      throw error;
    }
  }

  /** The same address shows what there is to see now: the transcript, or why not. */
  show() {
    leaveOnPurpose();
    location.replace(this.#path);
  }
}
