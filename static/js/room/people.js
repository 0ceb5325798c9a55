/** The list of people, and what a host may do about each of them. */

import { find, paint, portray, stamp } from '../lib/dom.js';
import { t } from '../lib/words.js';
import { focusRoom, keepingFocus } from './focus.js';

/** @typedef {import('../types').Face} Face */
/** @typedef {import('../types').Knock} Knock */
/** @typedef {import('../types').HostAction} HostAction */
/** @typedef {import('./state.js').State} State */

export class People {
  #list = find('[data-people]');
  #counts = document.querySelectorAll('[data-people-count]');
  #hosting = find('[data-hosting]');
  #lock = /** @type {HTMLInputElement} */ (find('[data-lock]'));
  #admission = /** @type {HTMLSelectElement} */ (find('[data-admission]'));
  #knocks = find('[data-knocks]');
  #admitAll = find('[data-admit-all]');
  #denied = find('[data-denied]');
  #state;
  #actions;
  /** @type {Map<string, HTMLElement>} */
  #rows = new Map();
  /** @type {Map<string, HTMLElement>} */
  #waiting = new Map();
  #host = false;

  /**
   * @param {State} state
   * @param {import('./actions.js').Actions} actions all that hosts do is checked by the server
   */
  constructor(state, actions) {
    this.#state = state;
    this.#actions = actions;
    this.#lock.addEventListener('change', () => this.#change({ locked: this.#lock.checked ? 'on' : 'off' }));
    this.#admission.addEventListener('change', () => this.#change({ admission: this.#admission.value }));
    state.on(['people'], ({ people }) => {
      this.#knock(people.waiting);
      this.#deny(people.denied);
    });
    state.on(['faces'], ({ faces }) => {
      keepingFocus(this.#list, () => this.#draw(faces), () => this.#listBox.focus({ preventScroll: true }));
    });
    // Not whenever the session changes: what was chosen is on its way to the server.
    state.follow(
      ({ session: { admission, locked } }) => `${admission} ${locked}`,
      () => this.#drawDoor(),
    );
  }

  /** What the server didn't take isn't so. @param {Record<string, string>} fields */
  async #change(fields) {
    if (!(await this.#actions.post('door', fields))) this.#drawDoor();
  }

  #drawDoor() {
    const { admission, locked } = this.#state.session;
    if (admission) this.#admission.value = admission;
    if (locked !== undefined) this.#lock.checked = locked;
  }

  /** @param {Face[]} faces */
  #draw(faces) {
    this.#host = faces.some(({ me, role }) => me && role === 'HOST');
    this.#hosting.hidden = !this.#host;
    for (const count of this.#counts) count.textContent = String(faces.length);
    const here = new Set(faces.map(({ identity }) => identity));
    for (const [identity, row] of this.#rows) {
      if (here.has(identity)) continue;
      row.remove();
      this.#rows.delete(identity);
    }
    for (const [place, face] of inOrder(faces).entries()) {
      const row = this.#rows.get(face.identity) ?? this.#add(face.identity);
      this.#drawRow(row, face);
      if (this.#list.children[place] !== row) this.#list.insertBefore(row, this.#list.children[place] ?? null);
    }
  }

  /** @param {Knock[]} waiting who wants to come in */
  #knock(waiting) {
    // To the next card rather than to its button: a key that was meant for the last one admits nobody.
    const next = () => (waiting.length ? find('.knock', this.#knocks).focus({ preventScroll: true }) : focusRoom());
    keepingFocus(this.#knocks, () => this.#drawKnocks(waiting), next);
  }

  /** @param {Knock[]} waiting */
  #drawKnocks(waiting) {
    const here = new Set(waiting.map(({ identity }) => identity));
    for (const [identity, card] of this.#waiting) {
      if (here.has(identity)) continue;
      card.remove();
      this.#waiting.delete(identity);
    }
    for (const knock of waiting) if (!this.#waiting.has(knock.identity)) this.#addKnock(knock);
    this.#knocks.hidden = waiting.length === 0;
    this.#admitAll.hidden = waiting.length < 2;
    this.#knocks.append(this.#admitAll);
  }

  /** @param {Knock[]} denied who was denied and may still be admitted */
  #deny(denied) {
    const list = find('ul', this.#denied);
    // Drawn anew only when it changes, so that the focus isn't lost for nothing.
    const key = JSON.stringify(denied);
    if (list.dataset.shown === key) return;
    list.dataset.shown = key;
    const draw = () => {
      list.replaceChildren(...denied.map((one) => this.#deniedRow(one)));
      this.#denied.hidden = denied.length === 0;
    };
    keepingFocus(this.#denied, draw, () => this.#listBox.focus({ preventScroll: true }));
  }

  /** @param {Knock} one */
  #deniedRow(one) {
    const row = stamp('[data-denied-template]');
    paint(row, one.hue);
    portray(find('.avatar', row), one);
    find('.name', row).textContent = one.name;
    const button = find('button', row);
    button.setAttribute('aria-label', t('Admit {name}', { name: one.name }));
    button.addEventListener('click', () => this.#act('admit', one));
    return row;
  }

  get #listBox() {
    return /** @type {HTMLElement} */ (this.#list.parentElement);
  }

  /**
   * @param {HostAction} action
   * @param {{ identity: string, name: string }} person
   */
  #act(action, { identity, name }) {
    this.#actions.post('act', { action, identity, name });
  }

  /** @param {string} identity */
  #add(identity) {
    const row = stamp('[data-person-template]');
    row.dataset.identity = identity;
    for (const button of row.querySelectorAll('[data-act]')) {
      const action = /** @type {HostAction} */ (/** @type {HTMLElement} */ (button).dataset.act);
      button.addEventListener('click', () => this.#act(action, { identity, name: find('.name', row).textContent ?? '' }));
    }
    this.#rows.set(identity, row);
    return row;
  }

  /**
   * @param {HTMLElement} row
   * @param {Face} face
   */
  #drawRow(row, face) {
    paint(row, face.hue);
    portray(find('.avatar', row), face);
    find('.name', row).textContent = face.name;
    const spared = this.#state.people.untranscribed.includes(face.identity) && t('not transcribed');
    const facts = [face.me && t('you'), roleWords(face), spared, face.trouble].filter(Boolean);
    find('.person-facts', row).textContent = facts.join(', ');
    find('.person-hand', row).hidden = !face.hand;
    const mic = find('.person-mic', row);
    mic.dataset.on = String(face.mic);
    find('.visually-hidden', mic).textContent = face.mic ? t('microphone on') : t('muted');
    find('.person-actions', row).hidden = !this.#host || face.me;
    this.#button(row, 'lower-hand').hidden = !face.hand;
    this.#button(row, 'mute').hidden = !face.mic;
    this.#button(row, 'host').hidden = face.role === 'HOST';
    for (const action of /** @type {const} */ (['lower-hand', 'mute', 'host', 'remove'])) {
      this.#button(row, action).setAttribute('aria-label', actionWords(action, face.name));
    }
  }

  /**
   * @param {HTMLElement} row
   * @param {HostAction} action
   */
  #button(row, action) {
    return find(`[data-act="${action}"]`, row);
  }

  /** @param {Knock} knock */
  #addKnock(knock) {
    const card = stamp('[data-knock-template]');
    card.dataset.identity = knock.identity;
    paint(card, knock.hue);
    portray(find('.avatar', card), knock);
    find('.name', card).textContent = knock.name;
    for (const button of card.querySelectorAll('[data-act]')) {
      const action = /** @type {HostAction} */ (/** @type {HTMLElement} */ (button).dataset.act);
      button.setAttribute('aria-label', actionWords(action, knock.name));
      button.addEventListener('click', () => this.#act(action, knock));
    }
    this.#waiting.set(knock.identity, card);
    this.#knocks.append(card);
  }
}

/** @param {Face[]} faces raised hands first, in the order in which they went up */
function inOrder(faces) {
  const up = faces.filter(({ hand }) => hand).sort((a, b) => String(a.hand).localeCompare(String(b.hand)));
  return [...up, ...faces.filter(({ hand }) => !hand)];
}

/** @param {Face} face */
function roleWords({ role }) {
  if (role === 'HOST') return t('host');
  return role === 'GUEST' ? t('guest') : '';
}

/**
 * @param {HostAction} action
 * @param {string} name to whom
 */
function actionWords(action, name) {
  switch (action) {
    case 'admit':
      return t('Admit {name}', { name });
    case 'deny':
      return t('Deny {name}', { name });
    case 'lower-hand':
      return t('Lower hand: {name}', { name });
    case 'mute':
      return t('Mute {name}', { name });
    case 'host':
      return t('Make host: {name}', { name });
    case 'remove':
      return t('Remove {name}', { name });
  }
}
