/**
 * Finds words in all of a transcript, also in lines that aren't in the page yet: the server says which lines have them,
 * and those that are in the page have them marked, without a change of the page itself.
 */

import { goTo } from './going.js';
import { t, tn } from '../lib/words.js';

const REST = 250; // milliseconds without a key before it is asked for what was typed
const NAME = 'found'; // of the highlight, as the style sheet has it

const form = document.querySelector('form.find');
const input = form?.querySelector('.find-words');
const count = form?.querySelector('[data-find-count]');
const problem = form?.querySelector('[data-find-problem]');
const steps = [...(form?.querySelectorAll('[data-find-step]') ?? [])];

/** @type {string[]} */
let lines = []; // the ids of those that have the words, in order
let more = false; // whether there are others than those
let at = -1; // which of them somebody is at
let asked = ''; // with which words
/** @type {AbortController | undefined} */
let asking;
/** @type {number | undefined} */
let rest;

/** @param {string} text @returns {string} of the same length, in which letters that are to match are the same */
export function alike(text) {
  let lower = text.toLowerCase();
  if (lower.length !== text.length) {
    lower = [...text].map((one) => (one.toLowerCase().length === one.length ? one.toLowerCase() : one)).join('');
  }
  return lower.replaceAll('ё', 'е');
}

/** @param {string} text @returns {string} what is looked for, with single spaces */
function tidy(text) {
  return text.trim().split(/\s+/).join(' ');
}

/** Marks the words in all lines that are in the page. */
function highlight() {
  if (!('highlights' in CSS)) return;
  CSS.highlights.delete(NAME);
  const needle = alike(asked);
  if (!needle) return;
  /** @type {Range[]} */
  const ranges = [];
  for (const id of lines) {
    const line = document.getElementById(`u-${id}`);
    if (!line) continue;
    const walk = document.createTreeWalker(line, NodeFilter.SHOW_TEXT);
    for (let node = walk.nextNode(); node; node = walk.nextNode()) {
      const text = alike(node.textContent ?? '');
      for (let start = text.indexOf(needle); start >= 0; start = text.indexOf(needle, start + needle.length)) {
        const range = new Range();
        range.setStart(node, start);
        range.setEnd(node, start + needle.length);
        ranges.push(range);
      }
    }
  }
  CSS.highlights.set(NAME, new Highlight(...ranges));
}

function say() {
  if (!count || !problem) return;
  problem.textContent = '';
  const all = `${lines.length}${more ? '+' : ''}`;
  if (!asked) count.textContent = '';
  else if (!lines.length) count.textContent = t('no line has it');
  else if (at < 0) count.textContent = tn('{count} line', '{count} lines', lines.length, { count: all });
  else count.textContent = t('{at} of {count}', { at: at + 1, count: all });
  for (const one of steps) one.toggleAttribute('disabled', !lines.length);
}

/** @param {string} words */
async function ask(words) {
  asking?.abort();
  asking = new AbortController();
  asked = words;
  lines = [];
  more = false;
  at = -1;
  if (words) {
    const address = new URL(/** @type {HTMLElement} */ (form).dataset.find ?? '', location.href);
    address.searchParams.set('q', words);
    for (const name of ['speaker', 'lang']) {
      const own = form?.querySelector(`[name="${name}"]`);
      if (own instanceof HTMLInputElement) address.searchParams.set(name, own.value);
    }
    const answer = await fetch(address, { signal: asking.signal });
    if (!answer.ok) throw new Error(`can't be looked for: ${answer.status}`);
    ({ lines, more } = await answer.json());
  }
  say();
  highlight();
}

/** @param {number} by how many lines, backwards if less than 0 */
async function step(by) {
  if (!lines.length) return;
  // From where the reader is: the first one below the top of the window.
  at = at < 0 ? first(by) : (at + by + lines.length) % lines.length;
  say();
  await goTo(lines[at]);
  highlight();
}

/** @param {number} by @returns {number} the line that is to be gone to first */
function first(by) {
  const seen = lines.findIndex((id) => {
    const line = document.getElementById(`u-${id}`);
    return line !== null && line.getBoundingClientRect().top >= 0;
  });
  if (by < 0) return seen > 0 ? seen - 1 : lines.length - 1;
  return Math.max(seen, 0);
}

/** @param {Promise<void>} work */
async function tell(work) {
  try {
    await work;
  } catch (error) {
    if (/** @type {Error} */ (error).name === 'AbortError' || !count || !problem) return;
    count.textContent = '';
    problem.textContent = t('The server doesn’t answer. Try again in a moment.');
  }
}

if (form instanceof HTMLFormElement && input instanceof HTMLInputElement) {
  form.querySelector('[data-find-submit]')?.setAttribute('hidden', '');
  for (const one of steps) {
    one.removeAttribute('hidden');
    one.addEventListener('click', () => tell(step(Number(/** @type {HTMLElement} */ (one).dataset.findStep))));
  }
  say();
  input.addEventListener('input', () => {
    clearTimeout(rest);
    rest = setTimeout(() => tell(ask(tidy(input.value))), REST);
  });
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    clearTimeout(rest);
    const words = tidy(input.value);
    tell(words === asked ? step(1) : ask(words).then(() => step(1)));
  });
  input.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && event.shiftKey) {
      event.preventDefault();
      tell(step(-1));
    } else if (event.key === 'Escape' && input.value) {
      event.preventDefault();
      input.value = '';
      tell(ask(''));
    }
  });
  document.addEventListener('keydown', (event) => {
    const { target } = event;
    if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey) return;
    if (target instanceof HTMLElement && target.matches('input, textarea, select, [contenteditable]')) return;
    event.preventDefault();
    input.select();
    input.focus();
  });
  // Words have come, or other lines.
  document.addEventListener('htmx:after:swap', highlight);
  document.addEventListener('lines:loaded', highlight);
  // The page of what was found is there without scripts; with them it goes on from its words.
  if (input.value) tell(ask(tidy(input.value)));
}
