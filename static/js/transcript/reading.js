/** The transcript page: the keys among its times. */

import { t } from '../lib/words.js';

// All times are links, thousands of them after a long day. One of them is a stop of the Tab key; from
// there the arrow keys go to the others. Without scripts each is a stop.
/** @type {HTMLAnchorElement | undefined} */
let stop;

/** @returns {HTMLAnchorElement[]} */
function times() {
  return [...document.querySelectorAll('#transcript .at')].filter((one) => one instanceof HTMLAnchorElement);
}

/** @param {HTMLAnchorElement | undefined} link becomes the stop of the Tab key */
function choose(link) {
  if (!link) return;
  if (stop) stop.tabIndex = -1;
  stop?.removeAttribute('aria-description');
  stop = link;
  stop.tabIndex = 0;
  stop.setAttribute('aria-description', t('Arrow keys go to the other times'));
}

function target() {
  return times().find((link) => link.hash === location.hash);
}

/** Also after late words have come, which brings times that are stops. */
function settle() {
  const links = times();
  for (const link of links) link.tabIndex = -1;
  choose((stop?.isConnected ? stop : target()) ?? links[0]);
}

/** An address names a line in its query, for whoever comes by it, and as its target, which is shown. */
document.addEventListener('click', (event) => {
  const link = event.target instanceof Element ? event.target.closest('#transcript a.at') : null;
  if (!(link instanceof HTMLAnchorElement) || event.ctrlKey || event.metaKey || event.shiftKey) return;
  // Among some lines only, it leads to where it stands among all.
  if (new URLSearchParams(location.search).has('speaker') || new URLSearchParams(location.search).has('q')) return;
  event.preventDefault();
  const address = link.href;
  location.hash = link.hash;
  history.replaceState(history.state, '', address);
});

// Who comes by a link to words that aren't among the first: links of before had no query.
function seek() {
  const named = location.hash.match(/^#u-([\w.-]+)$/)?.[1];
  if (named && !document.getElementById(`u-${named}`) && !new URLSearchParams(location.search).has('line')) {
    location.replace(`?line=${encodeURIComponent(named)}${location.hash}`);
  }
}

window.addEventListener('hashchange', () => {
  const link = target();
  choose(link);
  // The browser has just taken the focus from the link that was followed, as its target can't have it.
  link?.focus({ preventScroll: true });
});

document.addEventListener('keydown', (event) => {
  const from = /** @type {HTMLAnchorElement} */ (event.target);
  if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (!from.matches?.('#transcript .at')) return;
  const links = times();
  const place = links.indexOf(from);
  /** @type {Record<string, number>} */
  const places = { ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: links.length - 1 };
  const next = links[places[event.key]];
  if (!next) return;
  event.preventDefault();
  choose(next);
  next.focus();
});

seek();
settle();
document.addEventListener('htmx:after:swap', settle);
document.addEventListener('lines:loaded', settle);

// Nothing is asked for again while nobody looks.
document.addEventListener('htmx:before:request', (event) => {
  const { detail } = /** @type {CustomEvent} */ (event);
  if (document.hidden && detail.ctx.sourceEvent?.type === 'every') event.preventDefault();
});
