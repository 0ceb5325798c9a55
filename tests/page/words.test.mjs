import assert from 'node:assert/strict';
import { test } from 'node:test';

import { speak, t, tn } from '../../static/js/lib/words.js';

test('without a catalogue the words of the code are said, with their values', () => {
  assert.equal(t('{name} is here', { name: 'Ada' }), 'Ada is here');
  assert.equal(t('{name} is here'), '{name} is here');
  assert.equal(tn('{count} person', '{count} people', 1), '1 person');
  assert.equal(tn('{count} person', '{count} people', 21), '21 people');
  assert.equal(tn('{count} person in {place}', '{count} people in {place}', 0, { place: 'here' }), '0 people in here');
});

test('a value is never taken for words with values', () => {
  assert.equal(t('{name}: {text}', { name: '{text}', text: '$& {name}' }), '{text}: $& {name}');
});

test('what a catalogue has is said, and what it lacks in the words of the code', () => {
  speak({ Leave: 'Выйти' });
  assert.equal(t('Leave'), 'Выйти');
  assert.equal(t('Stay'), 'Stay');
});
