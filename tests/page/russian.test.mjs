import assert from 'node:assert/strict';
import { test } from 'node:test';

// The modules read the page's language as they begin.
globalThis.document = { documentElement: { lang: 'ru' }, querySelectorAll: () => [], addEventListener: () => {} };
await import('../../static/js/words/ru.js');
const { tn } = await import('../../static/js/lib/words.js');
const { howLong, listed } = await import('../../static/js/lib/text.js');
const { localTime, shortTime } = await import('../../static/js/lib/times.js');

test('Russian has three plurals', () => {
  const others = (/** @type {number} */ count) => tn('{count} other', '{count} others', count);
  assert.deepEqual([1, 21, 2, 24, 5, 0, 11, 12, 112].map(others), [
    'ещё 1 участник',
    'ещё 21 участник',
    'ещё 2 участника',
    'ещё 24 участника',
    'ещё 5 участников',
    'ещё 0 участников',
    'ещё 11 участников',
    'ещё 12 участников',
    'ещё 112 участников',
  ]);
});

test('how long, with the units of the language', () => {
  assert.deepEqual([0.2, 21, 120, 125].map(howLong), ['1 с', '21 с', '2 мин', '2 мин 5 с']);
});

test('names in a list', () => {
  assert.equal(listed(['Ада']), 'Ада');
  assert.equal(listed(['Ада', 'Боб']), 'Ада и Боб');
  assert.equal(listed(['Ада', 'Боб', 'Вера', 'Глеб', 'Дора']), 'Ада, Боб, Вера и ещё 2 участника');
});

test('days and clocks', () => {
  const now = new Date(2026, 4, 3, 18, 0);
  assert.equal(localTime(new Date(2026, 4, 3, 15, 7), now), 'Сегодня, 15:07');
  assert.equal(localTime(new Date(2026, 4, 2, 23, 59), now), 'Вчера, 23:59');
  assert.equal(localTime(new Date(2026, 2, 1, 9, 0), now), '1 марта, 09:00');
  assert.match(localTime(new Date(2025, 11, 31, 9, 0), now), /^31 декабря 2025 г\., 09:00$/);
  assert.equal(shortTime(new Date(2026, 4, 3, 15, 7), now), '15:07');
  assert.equal(shortTime(new Date(2026, 4, 2, 15, 7), now), '2 мая, 15:07');
});
