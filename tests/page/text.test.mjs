import assert from 'node:assert/strict';
import { test } from 'node:test';

Object.defineProperty(globalThis, 'navigator', { value: { languages: ['en-US'] } });
const { clock, howLong, initials, listed, sentence } = await import('../../static/js/lib/text.js');

test('a clock has hours only when there are any, and never runs backwards', () => {
  assert.deepEqual([0, 9.9, 187, 3765, -4].map(clock), ['0:00', '0:09', '3:07', '1:02:45', '0:00']);
});

test('how long something was is at least a second', () => {
  assert.deepEqual([0, 21.4, 59.6, 125].map(howLong), ['1 s', '21 s', '1 min', '2 min 5 s']);
});

test('four names are four, more are three and so many others', () => {
  assert.equal(listed(['Ada', 'Bob', 'Dora', 'Eve']), 'Ada, Bob, Dora, and Eve');
  assert.equal(listed(['Ada', 'Bob', 'Dora', 'Eve', 'Fay']), 'Ada, Bob, Dora, and 2 others');
});

test('initials are letters, whatever a name has', () => {
  const names = ['Ada Lovelace', 'Dora (Firefox)', 'ёлка', '  ', '😀 Ada', '😀', 'a b c'];
  assert.deepEqual(names.map(initials), ['AL', 'DF', 'Ё', '', 'A', '😀', 'AC']);
});

test('a sentence begins with a capital and ends once', () => {
  assert.deepEqual(['we are here', 'Who?', 'и так…'].map(sentence), ['We are here.', 'Who?', 'И так…']);
});
