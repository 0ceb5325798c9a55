/** One tile per person: camera or initials, name, microphone, how their captions are doing. */

import { find, paint, stamp } from '../lib/dom.js';
import { initials } from '../lib/text.js';

/** @typedef {import('../types').Person} Person */
/** @typedef {import('../types').Speech} Speech */
/** @typedef {{ person: Person, element: HTMLElement }} Tile */

const STATES = { delayed: 'captions delayed', failed: 'captions failed' };

/** Everybody the server or the call knows of; the call alone never decides a name. */
export class Stage {
  #list = find('[data-tiles]');
  #invite = find('[data-invite]');
  #me;
  /** @type {Map<string, Tile>} */
  #tiles = new Map();
  /** @type {Map<string, Speech>} */
  #speech = new Map();
  /** @type {Set<string>} */
  #voices = new Set();
  #micOn = false;
  /** @type {Map<string, HTMLElement>} */
  #videos = new Map();

  /** @param {Person} me always shown, first */
  constructor(me) {
    this.#me = me;
    this.people([]);
  }

  /** @param {string} identity */
  nameOf(identity) {
    return this.#tiles.get(identity)?.person.name;
  }

  /** @param {Person[]} people everybody who is connected now, me included or not */
  people(people) {
    const here = [this.#me, ...people.filter(({ identity }) => identity !== this.#me.identity)];
    const identities = new Set(here.map(({ identity }) => identity));
    for (const [identity, tile] of this.#tiles) if (!identities.has(identity)) this.#leave(identity, tile);
    for (const person of here) this.#arrive(person);
    this.#list.dataset.count = String(here.length);
    this.#invite.hidden = here.length > 1;
  }

  /** @param {boolean} on our own microphone: the page knows it before the server does */
  microphone(on) {
    this.#micOn = on;
    this.#drawState(this.#me.identity);
  }

  /** @param {Speech} speech */
  speech(speech) {
    this.#speech.set(speech.identity, speech);
    this.#drawState(speech.identity);
  }

  /** @param {Iterable<string>} identities whose voice the call hears */
  voices(identities) {
    this.#voices = new Set(identities);
    for (const identity of this.#tiles.keys()) this.#drawState(identity);
  }

  /**
   * @param {string} identity
   * @param {HTMLElement | null} element the camera's picture; null when it is off
   */
  video(identity, element) {
    if (element) this.#videos.set(identity, element);
    else this.#videos.delete(identity);
    this.#drawVideo(identity);
  }

  /** @param {Person} person */
  #arrive(person) {
    const tile = this.#tiles.get(person.identity) ?? this.#add(person);
    tile.person = person;
    paint(tile.element, person.hue);
    find('.tile-initials', tile.element).textContent = initials(person.name);
    find('.tile-name', tile.element).textContent = this.#label(person);
    this.#drawState(person.identity);
  }

  /** @param {Person} person */
  #label(person) {
    if (person.identity === this.#me.identity) return `${person.name} (you)`;
    return person.role === 'GUEST' ? `${person.name} (guest)` : person.name;
  }

  /** @param {Person} person */
  #add(person) {
    const tile = { person, element: stamp('[data-tile-template]') };
    tile.element.dataset.identity = person.identity;
    tile.element.classList.toggle('mine', person.identity === this.#me.identity);
    this.#tiles.set(person.identity, tile);
    this.#list.append(tile.element);
    this.#drawVideo(person.identity);
    return tile;
  }

  /**
   * @param {string} identity
   * @param {Tile} tile
   */
  #leave(identity, tile) {
    tile.element.remove();
    this.#tiles.delete(identity);
    this.#speech.delete(identity);
  }

  /** @param {string} identity */
  #drawVideo(identity) {
    const tile = this.#tiles.get(identity);
    if (!tile) return;
    const element = this.#videos.get(identity);
    find('.tile-media', tile.element).replaceChildren(...(element ? [element] : []));
    find('.tile-initials', tile.element).hidden = Boolean(element);
    tile.element.classList.toggle('has-video', Boolean(element));
  }

  /** Who never turned a microphone on has no state yet: that is as good as off. */
  #drawState(/** @type {string} */ identity) {
    const tile = this.#tiles.get(identity);
    if (!tile) return;
    const { state, reason } = this.#speech.get(identity) ?? { state: 'paused', reason: null };
    tile.element.dataset.speech = state;
    tile.element.classList.toggle('speaking', state === 'listening' || this.#voices.has(identity));
    const mic = find('.tile-mic', tile.element);
    mic.hidden = identity === this.#me.identity ? this.#micOn : state !== 'paused';
    const words = state === 'delayed' || state === 'failed' ? STATES[state] : '';
    const label = find('.tile-state', tile.element);
    label.textContent = words;
    label.title = reason ?? '';
  }
}
