import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Roster } from '../../static/js/room/roster.js';

const ada = { identity: 'a', name: 'Ada', role: /** @type {const} */ ('HOST'), hue: 1 };
const bob = { identity: 'b', name: 'Bob', role: /** @type {const} */ ('GUEST'), hue: 2 };
const inCall = { ...bob, mic: true, quality: /** @type {const} */ ('good') };
const late = { type: /** @type {const} */ ('speech'), identity: 'b', state: /** @type {const} */ ('delayed'), since: '', reason: { code: 'busy', detail: '' } };

/** @returns {Roster} Ada's, with what is drawn in `drawn` */
function roster(drawn = /** @type {unknown[]} */ ([])) {
  return new Roster(ada, (faces) => drawn.push(faces));
}

test('whoever is here is there once, me first, then in the order of arrival', () => {
  const all = roster();
  all.call([inCall]);
  all.people([ada, bob, { ...bob, identity: 'c', name: 'Cy' }]);
  assert.deepEqual(all.faces().map(({ name, me }) => [name, me]), [['Ada', true], ['Bob', false], ['Cy', false]]);
  all.people([ada, { ...bob, identity: 'c', name: 'Cy' }]);
  all.call(null);
  assert.deepEqual(all.faces().map(({ name }) => name), ['Ada', 'Cy']);
});

test('a burst of changes is drawn once', async () => {
  const drawn = /** @type {unknown[]} */ ([]);
  const all = roster(drawn);
  all.people([ada, bob]);
  all.microphone(true);
  await Promise.resolve();
  assert.equal(drawn.length, 1);
});

test('who speaks is heard by the call, and by the captions without one', () => {
  const all = roster();
  all.people([ada, bob]);
  const speaks = () => all.faces()[1].speaking;
  all.speech({ ...late, state: 'listening', reason: null });
  assert.equal(speaks(), true);
  all.call([inCall]);
  assert.equal(speaks(), false);
  all.voices(['b']);
  assert.equal(speaks(), true);
  all.people([ada, { ...bob, away: true }]);
  assert.equal(speaks(), false);
});

test('what is wrong with somebody is in words; that they are away comes first', () => {
  const all = roster();
  all.people([ada, bob]);
  all.trouble('b', late);
  assert.equal(all.faces()[1].trouble, 'captions delayed');
  assert.equal(all.faces()[1].reason, 'all transcription streams are busy; catching up');
  all.people([ada, { ...bob, away: true }]);
  assert.equal(all.faces()[1].trouble, 'connection lost');
  all.people([ada, bob]);
  all.trouble('b', null);
  assert.equal(all.faces()[1].trouble, '');
});
