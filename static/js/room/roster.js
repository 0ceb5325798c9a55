/** Everybody who is here: what the server, the call and the captions know of them, as one list. */

import { t } from '../lib/words.js';
import { reasonWords } from './reasons.js';

/** @typedef {import('../types').Person} Person */
/** @typedef {import('../types').Face} Face */
/** @typedef {import('./state.js').State} State */

/**
 * Makes the faces of what else is true. The server decides names and roles; people whom only the call knows are here
 * all the same.
 * @param {State} state
 */
export function keepRoster(state) {
  /** @type {string[]} in the order of arrival */
  let order = [];
  state.on(['me', 'people', 'speech', 'call'], () => {
    if (!state.me.person.identity) return;
    const all = everybody(state);
    const here = new Map([...all].reverse().map((one) => [one.identity, one]));
    const now = new Set(all.map(({ identity }) => identity));
    order = order.filter((identity) => now.delete(identity)).concat(...now);
    const named = order.map((identity) => /** @type {Person} */ (here.get(identity)));
    state.set('faces', { all: named.map((person) => face(person, state)) });
  });
}

/**
 * @param {State} state
 * @param {string} identity
 * @returns {string} the name, also of somebody who is here only for the call
 */
export function nameOf(state, identity) {
  return everybody(state).find((person) => person.identity === identity)?.name ?? t('someone');
}

/**
 * @param {State} state
 * @returns {Person[]} who is named twice is who the first of them says
 */
function everybody({ me, people, call }) {
  return [me.person, ...people.here, ...(call.people ?? [])];
}

/**
 * @param {Person} person
 * @param {State} state
 * @returns {Face}
 */
function face(person, { me, call, speech }) {
  const { identity } = person;
  const mine = identity === me.person.identity;
  const inCall = call.people?.find((one) => one.identity === identity);
  const away = !mine && Boolean(person.away);
  const { state } = speech.of.get(identity) ?? { state: 'paused' };
  const trouble = speech.troubled.get(identity);
  // Who is in the call without having opened a microphone there may still be heard for captions.
  const mic = mine ? me.microphone.isOn : (inCall?.mic ?? state !== 'paused');
  const heard = inCall ? call.voices.has(identity) : state === 'listening';
  return {
    ...person,
    me: mine,
    mic,
    away,
    speaking: mic && heard && !away,
    quality: inCall?.quality ?? 'unknown',
    hand: person.hand ?? null,
    trouble: away ? t('connection lost') : troubleWords(trouble),
    reason: trouble?.reason ? reasonWords(trouble.reason) : '',
  };
}

/** @param {import('../types').Speech | undefined} trouble */
function troubleWords(trouble) {
  if (trouble?.state === 'delayed') return t('captions delayed');
  return trouble?.state === 'failed' ? t('captions failed') : '';
}
