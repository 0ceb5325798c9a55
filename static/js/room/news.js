/** What waits for our attention: unread lines, knocks, hands that go up, and who comes and goes. */

import { find } from '../lib/dom.js';
import { listed } from '../lib/text.js';
import { t } from '../lib/words.js';
import { Chimes } from './chimes.js';

// Who reloads is away for a moment, and people come together: what is over by then is no news, the rest is one.
const GATHERING = 2_500;

export class News {
  #state;
  #chimes = new Chimes();
  /** @type {Map<string, string> | null} who was here when it was told last, with names; null before the first list */
  #known = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #gathering;
  /** @type {Set<string>} who knocked when we looked last */
  #knocking = new Set();
  /** @type {Set<string>} whose hand was up then */
  #handsUp = new Set();

  /** @param {import('./state.js').State} state */
  constructor(state) {
    this.#state = state;
    state.when('welcome', () => this.#begin());
    state.on(['people'], () => {
      this.#hearKnocks();
      this.#hearHands();
      this.#hearComings();
    });
    state.on(['view'], ({ view }) => this.#markUnread(view.unread));
  }

  /** A connection begins: who came or went meanwhile isn't told. */
  #begin() {
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    this.#known = null;
  }

  #hearKnocks() {
    const { waiting } = this.#state.people;
    if (waiting.some(({ identity }) => !this.#knocking.has(identity))) this.#chimes.knock();
    this.#knocking = new Set(waiting.map(({ identity }) => identity));
  }

  /** Our own hand is no news. */
  #hearHands() {
    const { me, people } = this.#state;
    const up = people.here.filter(({ hand }) => hand);
    for (const { identity, name } of up) {
      const known = this.#handsUp.has(identity) || identity === me.person.identity;
      if (!known) this.#state.toast(t('{name} raised a hand.', { name }));
    }
    this.#handsUp = new Set(up.map(({ identity }) => identity));
  }

  #hearComings() {
    if (!this.#state.people.listed) return;
    if (!this.#known) this.#known = this.#others();
    else this.#gathering ??= setTimeout(() => this.#tellComings(this.#known ?? new Map()), GATHERING);
  }

  /** @returns {Map<string, string>} who else is here now, with names */
  #others() {
    const { me, people } = this.#state;
    return new Map(people.here.filter(({ identity }) => identity !== me.person.identity).map(({ identity, name }) => [identity, name]));
  }

  /** @param {Map<string, string>} known who was here before */
  #tellComings(known) {
    this.#gathering = undefined;
    const here = (this.#known = this.#others());
    const came = [...here].filter(([identity]) => !known.has(identity)).map(([, name]) => name);
    const left = [...known].filter(([identity]) => !here.has(identity)).map(([, name]) => name);
    if (came.length) this.#state.toast(t('{names} joined.', { names: listed(came) }));
    if (left.length) this.#state.toast(t('{names} left.', { names: listed(left) }));
    if (came.length) this.#chimes.join();
    else if (left.length) this.#chimes.leave();
  }

  /** @param {number} count of lines in the chat */
  #markUnread(count) {
    const mark = find('[data-unread]');
    mark.textContent = count ? String(count) : '';
    mark.hidden = find('[data-unread-words]').hidden = count === 0;
  }
}
