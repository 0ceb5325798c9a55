/** What is wrong with captions, in one calm line: whose are late or failing, and the engine's own trouble. */

import { listed, sentence } from '../lib/text.js';
import { t } from '../lib/words.js';
import { reasonWords } from './reasons.js';

const TROUBLES = new Set(['delayed', 'failed']);
// On a busy machine captions fall behind and catch up every few seconds. Nobody can do anything about that, so that
// trouble is told once it lasts, and stays told until it has been over for as long.
const STEADY = 5_000;
// Who listens to the page rather than looks at it hears of the same trouble once in a while only.
const HEARD_FOR = 120_000;

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
    const wanted = TROUBLES.has(speech.state) ? speech : null;
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
    const reason = this.#engine?.reason ?? null;
    if (this.#health === 'off') return offWords(reason);
    /** @type {Map<string, { names: string[], speech: Speech }>} */
    const troubles = new Map();
    for (const { name, shown } of this.#people.values()) {
      if (!shown) continue;
      const key = JSON.stringify([shown.state, shown.reason && reasonWords(shown.reason)]);
      const trouble = troubles.get(key) ?? { names: [], speech: shown };
      trouble.names.push(name);
      troubles.set(key, trouble);
    }
    if (troubles.size) return [...troubles.values()].map(({ names, speech }) => troubleWords(listed(names), speech)).join(' ');
    return this.#health === 'degraded' ? lateWords(reason) : null;
  }
}

/** @param {Engine['reason']} reason */
function offWords(reason) {
  if (!reason) return t('Captions are off.');
  return sentence(t('Captions are off: {reason}', { reason: reasonWords(reason) }));
}

/** @param {Engine['reason']} reason */
function lateWords(reason) {
  if (!reason) return t('Captions may be late.');
  return sentence(t('Captions may be late: {reason}', { reason: reasonWords(reason) }));
}

/**
 * @param {string} names
 * @param {Speech} speech
 */
function troubleWords(names, { state, reason }) {
  const failed = state === 'failed';
  if (!reason) return failed ? t('Captions of {names} have failed.', { names }) : t('Captions of {names} are delayed.', { names });
  const values = { names, reason: reasonWords(reason) };
  return sentence(failed ? t('Captions of {names} have failed: {reason}', values) : t('Captions of {names} are delayed: {reason}', values));
}
