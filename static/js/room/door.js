/** The requests of a room: in, what a host may do, and the end for everyone. */

import { post } from '../lib/api.js';

/** @typedef {import('../types').Ticket} Ticket */
/** @typedef {import('../types').Waiting} Waiting */

export class RoomDoor {
  #path;

  /** @param {string} slug */
  constructor(slug) {
    this.#path = `/s/${encodeURIComponent(slug)}`;
  }

  /** @returns {Promise<Ticket | Waiting>} fresh tokens, or the knock is unanswered; throws ApiError when refused */
  join() {
    return post(`${this.#path}/join`);
  }

  /**
   * Only a host may.
   * @param {string} identity
   * @param {import('../types').HostAction} action
   * @returns {Promise<{ call?: { message: string } }>} `call`: what the video server could not be told
   */
  act(identity, action) {
    return post(`${this.#path}/people/${encodeURIComponent(identity)}/${action}`);
  }

  /**
   * Changes who may come in, or the title. Only a host may.
   * @param {Record<string, string>} fields
   */
  settings(fields) {
    return post(`${this.#path}/settings`, fields);
  }

  /** Ends the session for everybody. Only a host may. */
  end() {
    return post(`${this.#path}/end`);
  }

  /** The same address shows what there is to see now: the transcript, or why not. */
  show() {
    location.replace(this.#path);
  }
}
