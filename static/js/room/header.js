/** The head of the room: title, connection, how long it has been going. */

import { find } from '../lib/dom.js';
import { clock } from '../lib/text.js';
import { t } from '../lib/words.js';

export class Header {
  #title = find('[data-title]');
  #box = find('[data-connection]');
  #text = find('[data-connection-text]');
  /** @type {import('./socket.js').ConnectionState} */
  #state = 'connecting';
  #startedAt = 0;
  #name = document.title;
  #news = 0;

  constructor() {
    setInterval(() => this.#tick(), 1_000);
  }

  /** @param {import('../types').SessionState} session */
  session({ title, started_at }) {
    if (title) {
      this.#title.textContent = this.#title.title = title;
      this.#name = `${title} · Sessions`;
      this.news(this.#news);
    }
    if (started_at) this.#startedAt = Date.parse(started_at);
    this.#tick();
  }

  /** @param {number} count of what waits for the reader, for who is looking at another tab */
  news(count) {
    this.#news = count;
    document.title = count ? `(${count}) ${this.#name}` : this.#name;
  }

  /** @param {import('./socket.js').ConnectionState} state */
  connection(state) {
    this.#state = state;
    this.#box.dataset.connection = state;
    this.#tick();
  }

  #tick() {
    if (this.#state === 'connecting') this.#say(t('Connecting…'));
    else if (this.#state === 'offline') this.#say(t('Reconnecting…'));
    else this.#say(this.#startedAt ? clock((Date.now() - this.#startedAt) / 1000) : t('Live'));
  }

  /** A status that is spoken: the running clock is not, only a change of state. */
  #say(/** @type {string} */ words) {
    this.#box.setAttribute('aria-live', this.#state === 'live' ? 'off' : 'polite');
    if (this.#text.textContent !== words) this.#text.textContent = words;
  }
}
