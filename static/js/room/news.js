/** What waits for our attention: unread lines, knocks, and hands that go up. */

import { find } from '../lib/dom.js';

export class News {
  #header;
  #notices;
  #unread = 0;
  #knocking = 0;
  /** @type {Set<string>} */
  #handsUp = new Set();

  /**
   * @param {import('./header.js').Header} header
   * @param {import('./notices.js').Notices} notices
   */
  constructor(header, notices) {
    this.#header = header;
    this.#notices = notices;
  }

  /** @param {number} count of lines in the chat */
  unread(count) {
    this.#unread = count;
    this.#draw();
  }

  /** @param {number} count of people who want to come in */
  knocking(count) {
    this.#knocking = count;
    this.#draw();
  }

  /**
   * @param {import('../types').Person[]} people everybody who is here now
   * @param {string} me whose own hand is no news
   */
  hands(people, me) {
    const up = people.filter(({ hand }) => hand);
    for (const { identity, name } of up) {
      if (!this.isUp(identity) && identity !== me) this.#notices.toast(`${name} raised a hand.`);
    }
    this.#handsUp = new Set(up.map(({ identity }) => identity));
  }

  /** @param {string} identity whose hand may be up */
  isUp(identity) {
    return this.#handsUp.has(identity);
  }

  #draw() {
    this.#header.news(this.#unread + this.#knocking);
    const mark = find('[data-unread]');
    mark.textContent = this.#unread ? String(this.#unread) : '';
    mark.hidden = this.#unread === 0;
    find('[data-chat-button]').setAttribute('aria-label', this.#unread ? `Chat, ${this.#unread} unread` : 'Chat');
  }
}
