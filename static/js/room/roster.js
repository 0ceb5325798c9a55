/** Everybody who is here: what the server, the call and the captions know of them, as one list. */

import { t } from '../lib/words.js';
import { reasonWords } from './reasons.js';

/** @typedef {import('../types').Person} Person */
/** @typedef {import('../types').CallPerson} CallPerson */
/** @typedef {import('../types').Speech} Speech */
/** @typedef {import('../types').Face} Face */

/** The server decides names and roles; people whom only the call knows are here all the same. */
export class Roster {
  #me;
  #changed;
  /** @type {Map<string, Person>} */
  #here = new Map();
  /** @type {Map<string, CallPerson>} */
  #call = new Map();
  /** @type {Map<string, Speech>} */
  #speech = new Map();
  /** @type {Map<string, Speech>} whose captions are in trouble for a while */
  #troubled = new Map();
  /** @type {Set<string>} */
  #voices = new Set();
  /** @type {string[]} in the order of arrival */
  #order = [];
  #micOn = false;
  #queued = false;

  /**
   * @param {Person} me always here, first
   * @param {(faces: Face[]) => void} changed once per burst of changes
   */
  constructor(me, changed) {
    this.#me = me;
    this.#changed = changed;
    this.#tell();
  }

  /** @returns {Person} me as the server knows me now */
  get me() {
    return this.#me;
  }

  /** @param {Person[]} people everybody who is connected to the server, me included or not */
  people(people) {
    this.#here = new Map(people.map((person) => [person.identity, person]));
    this.#me = this.#here.get(this.#me.identity) ?? this.#me;
    for (const identity of this.#speech.keys()) if (!this.#here.has(identity)) this.#speech.delete(identity);
    this.#tell();
  }

  /** @param {CallPerson[] | null} people everybody in the call; null without a call */
  call(people) {
    this.#call = new Map((people ?? []).map((person) => [person.identity, person]));
    this.#tell();
  }

  /** @param {Speech} speech */
  speech(speech) {
    this.#speech.set(speech.identity, speech);
    this.#tell();
  }

  /**
   * @param {string} identity
   * @param {Speech | null} speech what is wrong with their captions, once it lasts; null when nothing is
   */
  trouble(identity, speech) {
    if (speech) this.#troubled.set(identity, speech);
    else this.#troubled.delete(identity);
    this.#tell();
  }

  /** @param {Iterable<string>} identities whose voice the call hears */
  voices(identities) {
    this.#voices = new Set(identities);
    this.#tell();
  }

  /** @param {boolean} on our own microphone: the page knows it before anybody else */
  microphone(on) {
    this.#micOn = on;
    this.#tell();
  }

  /** @param {string} identity */
  nameOf(identity) {
    return this.#person(identity)?.name;
  }

  /** @returns {Face[]} */
  faces() {
    const here = new Set([this.#me.identity, ...this.#here.keys(), ...this.#call.keys()]);
    this.#order = this.#order.filter((identity) => here.delete(identity)).concat(...here);
    return this.#order.map((identity) => this.#face(/** @type {Person} */ (this.#person(identity))));
  }

  /** @param {string} identity */
  #person(identity) {
    if (identity === this.#me.identity) return this.#me;
    return this.#here.get(identity) ?? this.#call.get(identity);
  }

  /**
   * @param {Person} person
   * @returns {Face}
   */
  #face(person) {
    const me = person.identity === this.#me.identity;
    const call = this.#call.get(person.identity);
    const away = !me && Boolean(person.away);
    const { state } = this.#speech.get(person.identity) ?? { state: 'paused' };
    const trouble = this.#troubled.get(person.identity);
    // Who is in the call without having opened a microphone there may still be heard for captions.
    const mic = me ? this.#micOn : (call?.mic ?? state !== 'paused');
    const heard = call ? this.#voices.has(person.identity) : state === 'listening';
    return {
      ...person,
      me,
      mic,
      away,
      speaking: mic && heard && !away,
      quality: call?.quality ?? 'unknown',
      hand: person.hand ?? null,
      trouble: away ? t('connection lost') : troubleWords(trouble),
      reason: trouble?.reason ? reasonWords(trouble.reason) : '',
    };
  }

  #tell() {
    if (this.#queued) return;
    this.#queued = true;
    queueMicrotask(() => {
      this.#queued = false;
      this.#changed(this.faces());
    });
  }
}

/** @param {Speech | undefined} trouble */
function troubleWords(trouble) {
  if (trouble?.state === 'delayed') return t('captions delayed');
  return trouble?.state === 'failed' ? t('captions failed') : '';
}
