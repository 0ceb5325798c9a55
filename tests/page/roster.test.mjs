import assert from 'node:assert/strict';
import { test } from 'node:test';

import { keepRoster, nameOf } from '../../static/js/room/roster.js';
import { first, State } from '../../static/js/room/state.js';

const ada = { identity: 'a', name: 'Ada', role: /** @type {const} */ ('HOST'), hue: 1 };
const bob = { identity: 'b', name: 'Bob', role: /** @type {const} */ ('GUEST'), hue: 2 };
const cy = { ...bob, identity: 'c', name: 'Cy' };
const inCall = { ...bob, mic: true, quality: /** @type {const} */ ('good') };
const late = { type: /** @type {const} */ ('speech'), identity: 'b', state: /** @type {const} */ ('delayed'), since: '', reason: { code: 'busy', detail: '' } };

/** @returns {State} Ada's, in the room */
function joined() {
  const state = new State(first({ name: 'Ada', role: 'HOST', hue: '1', health: 'ok' }));
  keepRoster(state);
  state.set('me', { person: ada });
  return state;
}

/** @param {State} state @returns {Promise<State>} with the faces of what was set */
async function settled(state) {
  await new Promise((resolve) => setImmediate(resolve));
  return state;
}

test('nobody is here before we have joined', async () => {
  const state = new State(first({ name: 'Ada' }));
  keepRoster(state);
  state.set('people', { here: [bob] });
  assert.deepEqual((await settled(state)).faces, []);
});

test('whoever is here is there once, me first, then in the order of arrival', async () => {
  const state = joined();
  await settled(state);
  state.set('call', { people: [{ ...inCall, name: 'Bob as the call has it' }] });
  await settled(state);
  state.set('people', { here: [cy, ada, bob] });
  assert.deepEqual((await settled(state)).faces.map(({ name, me }) => [name, me]), [['Ada', true], ['Bob', false], ['Cy', false]]);
  state.set('people', { here: [ada, cy] });
  state.set('call', { people: null });
  assert.deepEqual((await settled(state)).faces.map(({ name }) => name), ['Ada', 'Cy']);
});

test('who comes with us stands behind us, and whom only the call knows behind the others', async () => {
  const state = joined();
  state.set('call', { people: [inCall] });
  state.set('people', { here: [cy, ada] });
  assert.deepEqual((await settled(state)).faces.map(({ name }) => name), ['Ada', 'Cy', 'Bob']);
  assert.equal(nameOf(state, 'b'), 'Bob');
  assert.equal(nameOf(state, 'x'), 'someone');
});

test('who speaks is heard by the call, and by the captions without one', async () => {
  const state = joined();
  const speaks = async () => (await settled(state)).faces.find(({ identity }) => identity === 'b')?.speaking;
  state.set('people', { here: [ada, bob] });
  state.set('speech', { of: new Map([['b', { ...late, state: 'listening', reason: null }]]) });
  assert.equal(await speaks(), true);
  state.set('call', { people: [inCall] });
  assert.equal(await speaks(), false);
  state.set('call', { voices: new Set(['b']) });
  assert.equal(await speaks(), true);
  state.set('people', { here: [ada, { ...bob, away: true }] });
  assert.equal(await speaks(), false);
});

test('our own microphone is what this page knows of it, before anybody else does', async () => {
  const state = joined();
  assert.equal((await settled(state)).faces[0].mic, false);
  state.set('me', { microphone: { isOn: true, track: null } });
  state.set('call', { people: [{ ...inCall, ...ada, mic: false }] });
  assert.equal((await settled(state)).faces[0].mic, true);
});

test('what is wrong with somebody is in words; that they are away comes first', async () => {
  const state = joined();
  state.set('people', { here: [ada, bob] });
  state.set('speech', { troubled: new Map([['b', late]]) });
  const trouble = async () => (await settled(state)).faces[1].trouble;
  assert.equal(await trouble(), 'captions delayed');
  assert.equal(state.faces[1].reason, 'all transcription streams are busy; catching up');
  state.set('people', { here: [ada, { ...bob, away: true }] });
  assert.equal(await trouble(), 'connection lost');
  state.set('people', { here: [ada, bob] });
  state.set('speech', { troubled: new Map() });
  assert.equal(await trouble(), '');
});
