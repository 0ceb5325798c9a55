/** Times, names and web addresses as people write them. */

import { LOCALE, t, tn } from './words.js';

const MOST_NAMES = 3;
const list = new Intl.ListFormat(LOCALE, { type: 'conjunction' });

/**
 * @param {number} seconds
 * @returns {string} "3:07" or "1:02:45"
 */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  if (parts[0] === 0) parts.shift();
  return parts.map((part, place) => (place ? String(part).padStart(2, '0') : part)).join(':');
}

/**
 * @param {number} seconds
 * @returns {string} "21 s", "2 min" or "2 min 5 s"; at least a second
 */
export function howLong(seconds) {
  const whole = Math.max(1, Math.round(seconds));
  const [minutes, rest] = [Math.floor(whole / 60), whole % 60];
  if (!minutes) return t('{seconds} s', { seconds: rest });
  if (!rest) return t('{minutes} min', { minutes });
  return t('{minutes} min {seconds} s', { minutes, seconds: rest });
}

/**
 * @param {string[]} names
 * @returns {string} "Ada, Bob and Dora" or "Ada, Bob, Dora, and 4 others"
 */
export function listed(names) {
  const more = names.length - MOST_NAMES;
  if (more < 2) return list.format(names);
  return list.format([...names.slice(0, MOST_NAMES), tn('{count} other', '{count} others', more)]);
}

/**
 * @param {string} name
 * @returns {string} the first letters of the first and last word that have any, as in core/text.py: "Dora (Firefox)" → "DF"
 */
export function initials(name) {
  const all = name.split(/\s+/).filter(Boolean);
  const letters = all.map((word) => word.match(/[\p{L}\p{N}]/u)?.[0] ?? '').filter(Boolean);
  const ends = letters.length > 1 ? [letters[0], letters[letters.length - 1]] : letters;
  return (ends.join('') || [...(all[0] ?? '')].slice(0, 1).join('')).toUpperCase();
}

/**
 * @param {string} text perhaps a part of a sentence
 * @returns {string} a whole one, as people write it
 */
export function sentence(text) {
  const whole = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(whole) ? whole : `${whole}.`;
}

// As web/links.py, which has the reasons; tests/room/links.json holds what both must agree on.
const ADDRESS = /(?<![A-Za-z0-9])https?:\/\/[^\s<>"./?#:@][^\s<>"]*/gi;
const MAX_ADDRESS = 1000;
const SENTENCE = ".,;:!?'`*…’”»";
const BRACKETS = new Map([[')', '('], [']', '['], ['}', '{']]);

/**
 * @param {string} text
 * @returns {{ text: string, isAddress: boolean }[]} the text in pieces, in order
 */
export function pieces(text) {
  const found = [];
  let done = 0;
  for (const { 0: match, index } of text.matchAll(ADDRESS)) {
    const address = trimmed(match);
    if ([...address].length > MAX_ADDRESS) continue;
    if (index > done) found.push({ text: text.slice(done, index), isAddress: false });
    found.push({ text: address, isAddress: true });
    done = index + address.length;
  }
  if (done < text.length) found.push({ text: text.slice(done), isAddress: false });
  return found;
}

/** @param {string} address with what belongs to the sentence around it */
function trimmed(address) {
  const extra = new Map([...BRACKETS].map(([close, open]) => [close, count(address, close) - count(address, open)]));
  for (let end = address.length; ; end -= 1) {
    const last = address.charAt(end - 1);
    const open = extra.get(last) ?? 0;
    if (open > 0) extra.set(last, open - 1);
    else if (!SENTENCE.includes(last)) return address.slice(0, end);
  }
}

/**
 * @param {string} text
 * @param {string} letter
 */
function count(text, letter) {
  return text.split(letter).length - 1;
}
