/** The two requests of a room: in, and the end for everyone. */

import { post } from '../lib/api.js';

export class RoomDoor {
  #path;

  /** @param {string} slug */
  constructor(slug) {
    this.#path = `/s/${encodeURIComponent(slug)}`;
  }

  /** @returns {Promise<import('../types').Ticket>} fresh tokens; throws ApiError when refused */
  join() {
    return post(`${this.#path}/join`);
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
