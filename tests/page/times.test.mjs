import assert from 'node:assert/strict';
import { test } from 'node:test';

const shown = { text: '', datetime: '2026-05-03T10:00:00Z' };
const element = {
  getAttribute: () => shown.datetime,
  hasAttribute: () => false,
  setAttribute: () => {},
  set textContent(/** @type {string} */ text) {
    shown.text = text;
  },
};
globalThis.document = { documentElement: { lang: 'en' }, querySelectorAll: () => [element], addEventListener: () => {} };
Object.defineProperty(globalThis, 'navigator', { value: { languages: ['de-DE', 'en-GB'] } });
const { localTime, shortTime } = await import('../../static/js/lib/times.js');
const now = new Date(2026, 4, 3, 0, 30);

test('days have words, in the region of the browser that speaks the page’s language', () => {
  assert.equal(localTime(new Date(2026, 4, 3, 15, 7), now), 'Today, 15:07');
  assert.equal(localTime(new Date(2026, 4, 2, 23, 59), now), 'Yesterday, 23:59');
  assert.equal(localTime(new Date(2026, 4, 4, 9, 0), now), 'Tomorrow, 09:00');
  assert.equal(localTime(new Date(2026, 4, 5, 9, 0), now), '5 May, 09:00');
  assert.equal(localTime(new Date(2026, 4, 1, 10, 0), now), '1 May, 10:00');
  assert.equal(localTime(new Date(2025, 4, 1, 10, 0), now), '1 May 2025, 10:00');
  assert.equal(shortTime(new Date(2026, 4, 3, 15, 7), now), '15:07');
  assert.equal(shortTime(new Date(2026, 3, 30, 15, 7), now), '30 April, 15:07');
});

test('every time of the page is shown as the page begins', () => {
  assert.equal(shown.text, localTime(new Date(shown.datetime)));
});
