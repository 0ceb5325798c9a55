/**
 * What is true in this room, in one place: parts draw from it, and whoever learns something new sets it. Nobody tells
 * another part, and nobody keeps a copy: two places that know the same end up knowing two different things.
 */

import { recall } from '../lib/kept.js';

/** @typedef {import('../types').Truth} Truth */
/** @typedef {import('../types').Happenings} Happenings */
/** @typedef {keyof Truth} Slice */

const OFF = { isOn: false, track: null };

/**
 * @param {DOMStringMap} page what the page was told
 * @returns {Truth} before anybody has joined
 */
export function first({ name = '', role, hue, guest, speech = '', health, reason, detail = '', audio = '0' }) {
  const person = {
    identity: '',
    name,
    role: /** @type {import('../types').Role} */ (role),
    hue: Number(hue),
  };
  /** @type {import('../types').Engine} */
  const engine = {
    name: speech,
    health: /** @type {import('../types').Engine['health']} */ (health),
    reason: reason ? { code: reason, detail } : null,
  };
  return {
    me: { person, guest: guest !== undefined, consent: { asked: 'OFF', given: null }, refused: false, language: null, toldAudio: Number(audio), microphone: OFF, camera: OFF, active: true, taking: false, signedOut: false, left: false },
    people: { here: [], listed: false, waiting: [], denied: [], untranscribed: [] },
    faces: { all: [] },
    session: { connection: 'connecting', welcomedAt: 0, pauses: [], paused: false, names: {}, audio: 0 },
    speech: { engine, of: new Map(), near: null, troubled: new Map() },
    call: { state: 'connecting', reason: null, people: null, voices: new Set(), pictures: new Map(), sharing: false },
    view: { panel: 'transcript', unread: 0, reads: recall('reads') ?? '', original: false },
    notices: {
      login: null,
      place: null,
      connection: null,
      consent: null,
      paused: null,
      sound: null,
      microphone: null,
      camera: null,
      silent: null,
      captions: null,
      minutes: null,
      video: null,
    },
  };
}

/** @param {import('../types').Consent} consent @returns {boolean} whether it allows to transcribe us */
export function agreed({ asked, given }) {
  return given ?? asked !== 'REQUIRED';
}

/** An EventTarget, so that a part that fails in its listener takes no other part with it. */
export class State extends EventTarget {
  #truth;
  /** @type {Set<Slice>} what has changed since it was told last */
  #changed = new Set();

  /** @param {Truth} truth */
  constructor(truth) {
    super();
    this.#truth = truth;
    for (const slice of Object.values(truth)) Object.freeze(slice);
  }

  get me() {
    return this.#truth.me;
  }

  get people() {
    return this.#truth.people;
  }

  get faces() {
    return this.#truth.faces.all;
  }

  get session() {
    return this.#truth.session;
  }

  get speech() {
    return this.#truth.speech;
  }

  get call() {
    return this.#truth.call;
  }

  get view() {
    return this.#truth.view;
  }

  get notices() {
    return this.#truth.notices;
  }

  /** Whether anything of ours may be on here: another page of ours may have it, or our login has ended. */
  get isHere() {
    return this.me.active && !this.me.signedOut;
  }

  /** Whether what we say is to be written down: else nothing of it leaves for the server. */
  get isTranscribed() {
    return this.isAgreed && !this.session.paused;
  }

  /** Whether we may be transcribed at all: we want it, or need not be asked. */
  get isAgreed() {
    return !this.me.refused && agreed(this.me.consent);
  }

  /**
   * What is set is true at once, and told after the burst of changes it belongs to. What is in a slice is never changed
   * in place: a list or map with one more is another one.
   * @template {Slice} S
   * @param {S} slice
   * @param {Partial<Truth[S]>} part of it; what is as it was is no change
   */
  set(slice, part) {
    const old = this.#truth[slice];
    const names = /** @type {(keyof Truth[S])[]} */ (Object.keys(part));
    if (names.every((name) => Object.is(old[name], part[name]))) return;
    this.#truth = { ...this.#truth, [slice]: Object.freeze({ ...old, ...part }) };
    if (!this.#changed.size) queueMicrotask(() => this.#tell());
    this.#changed.add(slice);
  }

  /**
   * Draws now, and after each burst in which one of the slices has changed.
   * @param {Slice[]} slices
   * @param {(state: State) => void} draw
   */
  on(slices, draw) {
    this.addEventListener('changed', (event) => {
      const { detail } = /** @type {CustomEvent<Set<Slice>>} */ (event);
      if (slices.some((slice) => detail.has(slice))) draw(this);
    });
    draw(this);
  }

  /**
   * Acts whenever what is picked has become another.
   * @template T
   * @param {(state: State) => T} pick
   * @param {(now: T) => void} act
   */
  follow(pick, act) {
    let last = pick(this);
    this.addEventListener('changed', () => {
      const now = pick(this);
      if (Object.is(now, last)) return;
      last = now;
      act(now);
    });
  }

  /**
   * What is over at once, and so is no truth: told now, to whoever listens.
   * @template {keyof Happenings} N
   * @param {Happenings[N] extends void ? [name: N] : [name: N, detail: Happenings[N]]} what
   */
  happen(...[name, detail]) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  /**
   * @template {keyof Happenings} N
   * @param {N} name
   * @param {(detail: Happenings[N]) => void} act
   */
  when(name, act) {
    this.addEventListener(name, (event) => act(/** @type {CustomEvent<Happenings[N]>} */ (event).detail));
  }

  /**
   * A quiet line for what lasts. The same words again are no change.
   * @param {import('../types').Topic} topic one line per topic
   * @param {import('../types').Notice | null} notice null when it is over
   */
  notice(topic, notice) {
    if (this.notices[topic]?.text !== notice?.text) this.set('notices', { [topic]: notice });
  }

  /**
   * A line for what has just happened, gone by itself.
   * @param {string} text
   * @param {import('../types').Offer} [offer]
   * @param {string} [topic] a panel: once it is open, this is no news any more
   */
  toast(text, offer, topic) {
    this.happen('toast', { text, offer, topic });
  }

  #tell() {
    const changed = this.#changed;
    this.#changed = new Set();
    this.dispatchEvent(new CustomEvent('changed', { detail: changed }));
  }
}
