/** What is wrong with captions, in one calm line: whose are late or failing, and the engine's own trouble. */

import { listed, sentence } from '../lib/text.js';
import { t } from '../lib/words.js';
import { isUsedUp, nearWords, reasonWords } from './reasons.js';
import { nameOf } from './roster.js';

const TROUBLES = new Set(['delayed', 'failed']);
// On a busy machine captions fall behind and catch up every few seconds. Nobody can do anything about that, so that
// trouble is told once it lasts, and stays told until it has been over for as long.
const STEADY = 5_000;
// Who listens to the page rather than looks at it hears of the same trouble once in a while only.
const HEARD_FOR = 120_000;

/** @typedef {import('../types').Speech} Speech */
/** @typedef {import('../types').Engine} Engine */
/** @typedef {ReturnType<typeof setTimeout>} Timer */

/** From `speech` as it is said, which flickers, makes `speech.troubled` and the line about captions, which don't. */
export class Lateness {
  #state;
  /** @type {Map<string, { wanted: Speech | null, shown: Speech | null, timer?: Timer }>} */
  #people = new Map();
  /** @type {Engine | null} of which we heard last */
  #engine = null;
  /** @type {Engine['health']} the engine's health as it is told */
  #health = 'ok';
  /** @type {Timer | undefined} */
  #engineTimer;
  #aloudAt = -Infinity;

  /** @param {import('./state.js').State} state */
  constructor(state) {
    this.#state = state;
    state.on(['speech'], ({ speech }) => {
      if (speech.engine !== this.#engine) this.#hearEngine(speech.engine);
      for (const identity of this.#people.keys()) if (!speech.of.has(identity)) this.#forget(identity);
      for (const said of speech.of.values()) this.#hear(said);
      state.notice('minutes', speech.near && { text: nearWords(speech.near) });
    });
  }

  /** @param {Engine} engine that it is off is told at once: no captions come */
  #hearEngine(engine) {
    this.#engine = engine;
    clearTimeout(this.#engineTimer);
    const follow = () => {
      this.#health = engine.health;
      this.#tell();
    };
    if (engine.health === 'off' || engine.health === this.#health) follow();
    else this.#engineTimer = setTimeout(follow, STEADY);
  }

  /** @param {Speech} speech */
  #hear(speech) {
    const { identity } = speech;
    const wanted = TROUBLES.has(speech.state) ? speech : null;
    const person = this.#people.get(identity) ?? { wanted: null, shown: null };
    this.#people.set(identity, person);
    const same = Boolean(person.wanted) === Boolean(wanted);
    person.wanted = wanted;
    if (!same) {
      clearTimeout(person.timer);
      person.timer = Boolean(person.shown) === Boolean(wanted) ? undefined : setTimeout(() => this.#follow(identity), STEADY);
    }
    // Another kind of trouble, or another reason, is told at once.
    if (person.shown && wanted && person.shown !== wanted) this.#follow(identity);
  }

  /** @param {string} identity who is gone, or of whom nothing is known any more */
  #forget(identity) {
    clearTimeout(this.#people.get(identity)?.timer);
    this.#people.delete(identity);
    this.#mark(identity, null);
  }

  /** @param {string} identity */
  #follow(identity) {
    const person = this.#people.get(identity);
    if (!person) return;
    person.shown = person.wanted;
    this.#mark(identity, person.shown);
  }

  /**
   * @param {string} identity
   * @param {Speech | null} shown with that person, null for nothing
   */
  #mark(identity, shown) {
    const { troubled } = this.#state.speech;
    if (!shown && !troubled.has(identity)) return;
    const others = [...troubled].filter(([other]) => other !== identity);
    this.#state.set('speech', { troubled: new Map(shown ? [...others, [identity, shown]] : others) });
    this.#tell();
  }

  #tell() {
    const text = this.#text();
    if (this.#state.notices.captions?.text === text) return;
    const now = performance.now();
    const aloud = now - this.#aloudAt > HEARD_FOR;
    if (aloud && text !== null) this.#aloudAt = now;
    this.#state.notice('captions', text === null ? null : { text, aloud });
  }

  #text() {
    const reason = this.#engine?.reason ?? null;
    if (this.#health === 'off') return offWords(reason);
    // It is everybody's, whoever speaks.
    const usedUp = [...this.#state.speech.troubled.values()].find((speech) => isUsedUp(speech.reason));
    if (usedUp?.reason) return sentence(t('Captions pause: {reason}', { reason: reasonWords(usedUp.reason) }));
    /** @type {Map<string, { names: string[], speech: Speech }>} */
    const troubles = new Map();
    for (const [identity, speech] of this.#state.speech.troubled) {
      const key = JSON.stringify([speech.state, speech.reason && reasonWords(speech.reason)]);
      const trouble = troubles.get(key) ?? { names: [], speech };
      trouble.names.push(nameOf(this.#state, identity));
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
