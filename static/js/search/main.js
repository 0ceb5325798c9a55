/**
 * The entry of search. Its form asks for itself as somebody types; here its address goes with it, so that a reload, or
 * the way back from a hit, shows the same, and the server learns the reader's zone, in which the days are.
 */

import '../lib/times.js';
import { t } from '../lib/words.js';

const offset = document.querySelector('[data-offset]');
if (offset instanceof HTMLInputElement) offset.value = String(-new Date().getTimezoneOffset());

document.addEventListener('htmx:after:swap', () => {
  const found = document.getElementById('search-results');
  const problem = document.getElementById('search-problem');
  if (!found) return;
  const query = found.dataset.query;
  const address = query ? `/search?${query}` : '/search';
  if (address !== location.pathname + location.search && !problem?.textContent) history.replaceState(null, '', address);
});

document.addEventListener('htmx:before:request', () => {
  const problem = document.getElementById('search-problem');
  if (problem) problem.textContent = '';
});

// No answer at all: the network is away, or the server.
document.addEventListener('htmx:error', (event) => {
  const { ctx, error } = /** @type {CustomEvent<{ ctx?: { sourceElement: Element }, error?: unknown }>} */ (event).detail;
  if (error instanceof DOMException && error.name === 'AbortError') return; // a newer question took its place
  const problem = document.getElementById('search-problem');
  if (problem && ctx?.sourceElement.closest('.search-page')) {
    problem.textContent = t('The server doesn’t answer. Try again in a moment.');
  }
});

document.addEventListener('keydown', (event) => {
  const typing = event.target instanceof HTMLElement && event.target.matches('input, select, textarea');
  if (event.key !== '/' || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  document.getElementById('search-q')?.focus();
});
