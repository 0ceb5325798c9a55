import assert from 'node:assert/strict';
import { test } from 'node:test';

import { first, State } from '../../static/js/room/state.js';

/** @returns {State} of a page that was told who we are */
function newState() {
  return new State(first({ name: 'Ada', role: 'HOST', hue: '3', health: 'ok', speech: 'local' }));
}

/** Lets a burst of changes end. */
const told = () => new Promise((resolve) => queueMicrotask(() => queueMicrotask(() => resolve(null))));

test('what the page was told is true before anybody has joined', () => {
  const { me, speech, isHere } = new State(first({ name: 'Bob', role: 'GUEST', hue: '5', guest: '', health: 'off', reason: 'no_key' }));
  assert.deepEqual(me.person, { identity: '', name: 'Bob', role: 'GUEST', hue: 5 });
  assert.deepEqual([me.guest, newState().me.guest, isHere], [true, false, true]);
  assert.deepEqual(speech.engine, { name: '', health: 'off', reason: { code: 'no_key', detail: '' } });
});

test('who draws does so at once, and once per burst that concerns it', async () => {
  const state = newState();
  /** @type {(string | null)[]} */
  const drawn = [];
  state.on(['view', 'call'], ({ view, call }) => drawn.push(`${view.panel} ${call.state}`));
  assert.deepEqual(drawn, ['transcript connecting']);
  state.set('view', { panel: 'chat' });
  state.set('call', { state: 'live' });
  state.set('me', { left: true });
  assert.equal(state.view.panel, 'chat', 'true at once');
  assert.equal(drawn.length, 1, 'told when the burst is over');
  await told();
  assert.deepEqual(drawn.slice(1), ['chat live']);
  state.set('me', { left: false });
  await told();
  assert.equal(drawn.length, 2);
});

test('what is as it was is no change, and nobody changes a slice in place', async () => {
  const state = newState();
  let drawn = 0;
  state.on(['view'], () => (drawn += 1));
  const { view } = state;
  state.set('view', { panel: 'transcript', unread: 0 });
  await told();
  assert.equal(drawn, 1);
  assert.equal(state.view, view);
  assert.throws(() => (state.view.unread = 7), TypeError);
});

test('what a part sets while it draws is the next burst', async () => {
  const state = newState();
  /** @type {number[]} */
  const seen = [];
  state.on(['view'], ({ view }) => {
    seen.push(view.unread);
    if (view.panel === 'chat') state.set('view', { unread: 0 });
  });
  state.set('view', { panel: 'chat', unread: 3 });
  await told();
  assert.deepEqual(seen, [0, 3, 0]);
});

test('what happens is told at once, to whoever listens', () => {
  const state = newState();
  /** @type {unknown[]} */
  const heard = [];
  state.when('level', (level) => heard.push(level));
  state.when('left', () => heard.push('left'));
  state.happen('level', 0.5);
  state.happen('left');
  state.toast('nobody listens');
  assert.deepEqual(heard, [0.5, 'left']);
});

test('a notice with the same words is the same notice', () => {
  const state = newState();
  state.notice('video', { text: 'Video is off.' });
  const { notices } = state;
  state.notice('video', { text: 'Video is off.' });
  state.notice('sound', null);
  assert.equal(state.notices, notices);
  state.notice('video', null);
  assert.equal(state.notices.video, null);
});

test('we are not here while another page of ours is, or our login has ended', () => {
  const state = newState();
  state.set('me', { active: false });
  assert.equal(state.isHere, false);
  state.set('me', { active: true, signedOut: true });
  assert.equal(state.isHere, false);
});

test('who follows something acts when it has become another, and only then', async () => {
  const state = newState();
  /** @type {unknown[]} */
  const seen = [];
  state.follow(({ view }) => view.panel, (panel) => seen.push(panel));
  state.set('view', { unread: 1 });
  await told();
  state.set('view', { panel: 'chat' });
  state.set('view', { panel: null });
  await told();
  state.set('view', { panel: 'people' });
  state.set('view', { panel: null });
  await told();
  assert.deepEqual(seen, [null]);
});
