/** The head of the room: title, connection, how long it has been going, and for who looks at another tab what waits. */

import { find } from '../lib/dom.js';
import { clock } from '../lib/text.js';
import { t } from '../lib/words.js';

export class Header {
  #title = find('[data-title]');
  #box = find('[data-connection]');
  #text = find('[data-connection-text]');
  #untitled = document.title;
  #state;

  /** @param {import('./state.js').State} state */
  constructor(state) {
    this.#state = state;
    state.on(['session'], ({ session: { title, connection } }) => {
      if (title) this.#title.textContent = this.#title.title = title;
      this.#box.dataset.connection = connection;
      this.#tick();
    });
    state.on(['session', 'view', 'people'], ({ session, view, people, me }) => {
      if (me.left) return; // what comes then has its own title
      const name = session.title ? `${session.title} · Sessions` : this.#untitled;
      const news = view.unread + people.waiting.length;
      document.title = news ? `(${news}) ${name}` : name;
    });
    setInterval(() => this.#tick(), 1_000);
  }

  #tick() {
    const { connection, started_at: started } = this.#state.session;
    if (connection === 'connecting') this.#say(t('Connecting…'));
    else if (connection === 'offline') this.#say(t('Reconnecting…'));
    else this.#say(started ? clock((Date.now() - Date.parse(started)) / 1000) : t('Live'));
  }

  /** A status that is spoken: the running clock is not, only a change of state. @param {string} words */
  #say(words) {
    this.#box.setAttribute('aria-live', this.#state.session.connection === 'live' ? 'off' : 'polite');
    if (this.#text.textContent !== words) this.#text.textContent = words;
  }
}
