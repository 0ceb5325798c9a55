/** The lines of the test: what each of them is, how it stands, and in words why. */

import { find } from '../lib/dom.js';

/** @typedef {'waiting' | 'running' | 'ok' | 'warn' | 'failed' | 'skipped'} Standing */

const announcer = () => find('[data-announcer]');

/**
 * @param {string} name of the line
 * @param {Standing} standing
 * @param {string} [words] how it stands
 */
export function show(name, standing, words = '') {
  const line = lineOf(name);
  line.dataset.standing = standing;
  find('[data-words]', line).textContent = words;
  // What is under way is seen; heard is what came of it.
  if (words && standing !== 'running' && standing !== 'waiting') announcer().textContent = `${find('[data-name]', line).textContent}: ${words}`;
}

/** @param {string} name @returns {HTMLElement} */
export function lineOf(name) {
  return find(`[data-line="${name}"]`);
}
