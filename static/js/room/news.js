/** What waits for our attention: unread lines, knocks, hands that go up, and who comes and goes. */

import { find } from '../lib/dom.js';
import { listed } from '../lib/text.js';
import { t } from '../lib/words.js';
import { Chimes } from './chimes.js';

// Who reloads is away for a moment, and people come together: what is over by then is no news, the rest is one.
const GATHERING = 2_500;

export class News {
  #header;
  #notices;
  #unread = 0;
  /** @type {Set<string>} who knocks */
  #knocking = new Set();
  #chimes = new Chimes();
  /** @type {Map<string, string> | null} who was here when it was told last, with names; null before the first list */
  #known = null;
  /** @type {Map<string, string>} who is here now */
  #here = new Map();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #gathering;
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

  /** @param {import('../types').Knock[]} waiting who wants to come in; told to hosts only */
  knocking(waiting) {
    if (waiting.some(({ identity }) => !this.#knocking.has(identity))) this.#chimes.knock();
    this.#knocking = new Set(waiting.map(({ identity }) => identity));
    this.#draw();
  }

  /** A connection begins: who came or went meanwhile isn't told. */
  begin() {
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    this.#known = null;
  }

  /**
   * @param {import('../types').Person[]} people everybody who is here now
   * @param {string} me who is no news
   */
  people(people, me) {
    this.#here = new Map(people.filter(({ identity }) => identity !== me).map(({ identity, name }) => [identity, name]));
    if (!this.#known) this.#known = this.#here;
    else this.#gathering ??= setTimeout(() => this.#tellComings(), GATHERING);
  }

  #tellComings() {
    this.#gathering = undefined;
    const known = this.#known ?? this.#here;
    this.#known = this.#here;
    const came = [...this.#here].filter(([identity]) => !known.has(identity)).map(([, name]) => name);
    const left = [...known].filter(([identity]) => !this.#here.has(identity)).map(([, name]) => name);
    if (came.length) this.#notices.toast(t('{names} joined.', { names: listed(came) }));
    if (left.length) this.#notices.toast(t('{names} left.', { names: listed(left) }));
    if (came.length) this.#chimes.join();
    else if (left.length) this.#chimes.leave();
  }

  /**
   * @param {import('../types').Person[]} people everybody who is here now
   * @param {string} me whose own hand is no news
   */
  hands(people, me) {
    const up = people.filter(({ hand }) => hand);
    for (const { identity, name } of up) {
      if (!this.isUp(identity) && identity !== me) this.#notices.toast(t('{name} raised a hand.', { name }));
    }
    this.#handsUp = new Set(up.map(({ identity }) => identity));
  }

  /** @param {string} identity whose hand may be up */
  isUp(identity) {
    return this.#handsUp.has(identity);
  }

  #draw() {
    this.#header.news(this.#unread + this.#knocking.size);
    const mark = find('[data-unread]');
    mark.textContent = this.#unread ? String(this.#unread) : '';
    mark.hidden = this.#unread === 0;
    find('[data-unread-words]').hidden = this.#unread === 0;
  }
}
