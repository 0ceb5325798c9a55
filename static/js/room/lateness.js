/** What is wrong with captions, in one calm line: whose are late or failing, and the engine's own trouble. */

import { sentence } from '../lib/text.js';
import { reasonWords } from './reasons.js';

const list = new Intl.ListFormat('en', { type: 'conjunction' });
const WORDS = { delayed: 'are delayed', failed: 'have failed' };
// On a busy machine captions fall behind and catch up every few seconds. Nobody can do anything about that, so that
// trouble is told once it lasts, and stays told until it has been over for as long.
const STEADY = 5_000;
// Who listens to the page rather than looks at it hears of the same trouble once in a while only.
const HEARD_FOR = 120_000;
const MOST_NAMES = 3;

/** @typedef {import('../types').Speech} Speech */
/** @typedef {import('../types').Engine} Engine */

/**
 * @typedef {object} Told
 * @property {(text: string | null, aloud: boolean) => void} show null when everybody's captions are well
 * @property {(identity: string, speech: Speech | null) => void} mark what is shown with that person, null for nothing
 */

export class Lateness {
  #told;
  /** @type {Map<string, { name: string, wanted: Speech | null, shown: Speech | null, timer?: ReturnType<typeof setTimeout> }>} */
  #people = new Map();
  /** @type {Engine | null} */
  #engine = null;
  /** @type {Engine['health']} the engine's health as it is told */
  #health = 'ok';
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #engineTimer;
  #aloudAt = -Infinity;

  /** @param {Told} told */
  constructor(told) {
    this.#told = told;
  }

  /** @param {Engine} engine that it is off is told at once: no captions come */
  engine(engine) {
    this.#engine = engine;
    clearTimeout(this.#engineTimer);
    const follow = () => {
      this.#health = engine.health;
      this.#tell();
    };
    if (engine.health === 'off' || engine.health === this.#health) follow();
    else this.#engineTimer = setTimeout(follow, STEADY);
  }

  /**
   * @param {Speech} speech
   * @param {string} name of the person
   */
  speech(speech, name) {
    const wanted = speech.state in WORDS ? speech : null;
    const person = this.#people.get(speech.identity) ?? { name, wanted: null, shown: null };
    this.#people.set(speech.identity, person);
    const same = Boolean(person.wanted) === Boolean(wanted);
    Object.assign(person, { name, wanted });
    if (!same) {
      clearTimeout(person.timer);
      person.timer = Boolean(person.shown) === Boolean(wanted) ? undefined : setTimeout(() => this.#follow(speech.identity), STEADY);
    }
    if (person.shown && wanted) this.#follow(speech.identity);
  }

  /** @param {import('../types').Person[]} people who is still here */
  people(people) {
    const here = new Set(people.map(({ identity }) => identity));
    for (const [identity, { timer }] of this.#people) {
      if (here.has(identity)) continue;
      clearTimeout(timer);
      this.#people.delete(identity);
      this.#told.mark(identity, null);
    }
    this.#tell();
  }

  /** @param {string} identity */
  #follow(identity) {
    const person = this.#people.get(identity);
    if (!person) return;
    person.shown = person.wanted;
    this.#told.mark(identity, person.shown);
    this.#tell();
  }

  #tell() {
    const text = this.#text();
    const now = performance.now();
    const aloud = text !== null && now - this.#aloudAt > HEARD_FOR;
    if (aloud) this.#aloudAt = now;
    this.#told.show(text, aloud);
  }

  #text() {
    const reason = this.#engine?.reason ? reasonWords(this.#engine.reason) : null;
    if (this.#health === 'off') return sentence(reason ? `Captions are off: ${reason}` : 'Captions are off');
    /** @type {Map<string, string[]>} */
    const namesByTrouble = new Map();
    for (const { name, shown } of this.#people.values()) {
      if (!shown) continue;
      const words = WORDS[/** @type {'delayed' | 'failed'} */ (shown.state)];
      const trouble = shown.reason ? `${words}: ${reasonWords(shown.reason)}` : words;
      namesByTrouble.set(trouble, [...(namesByTrouble.get(trouble) ?? []), name]);
    }
    if (namesByTrouble.size) return [...namesByTrouble].map(([trouble, names]) => sentence(`Captions of ${listed(names)} ${trouble}`)).join(' ');
    if (this.#health === 'degraded') return sentence(reason ? `Captions may be late: ${reason}` : 'Captions may be late');
    return null;
  }
}

/** @param {string[]} names */
function listed(names) {
  const more = names.length - MOST_NAMES;
  return more > 1 ? list.format([...names.slice(0, MOST_NAMES), `${more} others`]) : list.format(names);
}
