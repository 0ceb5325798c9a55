/** Goes to a line of the transcript, which may not be in the page yet: only some are, those around it. */

import { find } from '../lib/dom.js';

/** What the browser knows as `htmx`: it makes links to more of what it puts into the page work.
 * @type {{ process(root: Element): void } | undefined} */
const htmx = /** @type {any} */ (window).htmx;

const CURRENT = 'current-line';

/** @param {string} id of a line, as its address has it */
export function lineOf(id) {
  return document.getElementById(`u-${id}`);
}

/**
 * Puts other lines in the place of those that are there.
 * @param {Record<string, string>} asked the query of the address that gives them
 */
export async function load(asked) {
  const place = find('#transcript');
  const address = new URL(place.dataset.lines ?? '', location.href);
  for (const [name, value] of Object.entries(asked)) address.searchParams.set(name, value);
  const answer = await fetch(address, { headers: { 'HX-Request': 'true' } });
  if (!answer.ok) throw new Error(`these lines can't be had: ${answer.status}`);
  // The server's own words, in which all that people said is escaped.
  place.innerHTML = await answer.text();
  (htmx ?? /** @type {any} */ (window).htmx)?.process(place);
  document.dispatchEvent(new CustomEvent('lines:loaded'));
}

/**
 * Shows a line and marks it as the one that somebody is at.
 * @param {string} id
 * @returns {Promise<HTMLElement | null>} the line; null where there is none of this name any more
 */
export async function goTo(id) {
  if (!lineOf(id)) await load({ line: id });
  const line = lineOf(id);
  mark(line);
  line?.scrollIntoView({ block: 'center' });
  // What comes near the window is laid out only then, and may be higher than was reckoned with.
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  line?.scrollIntoView({ block: 'center' });
  return line;
}

/** @param {Element | null} line is the one that somebody is at; null: none is */
export function mark(line) {
  for (const one of document.querySelectorAll(`.${CURRENT}`)) one.classList.remove(CURRENT);
  line?.classList.add(CURRENT);
}
