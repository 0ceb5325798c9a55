/** What htmx itself leaves out: nothing is asked for while nobody looks, and who is left without an answer is told. */

import { t } from '../lib/words.js';

/** @typedef {CustomEvent<{ ctx: { sourceElement: Element, sourceEvent: Event } }>} Asking */

document.addEventListener('htmx:before:request', (event) => {
  if (document.hidden && /** @type {Asking} */ (event).detail.ctx.sourceEvent.type === 'every') event.preventDefault();
});

document.addEventListener('visibilitychange', () => {
  if (!document.hidden) document.getElementById('sessions')?.dispatchEvent(new Event('refresh'));
});

// No answer at all: the network is away, or the server. A refresh simply tries again.
document.addEventListener('htmx:error', (event) => {
  const { detail } = /** @type {CustomEvent} */ (event);
  const { ctx } = /** @type {Partial<Asking['detail']>} */ (detail);
  const problem = ctx?.sourceElement.closest('.settings, .start-form')?.querySelector('[role="alert"]');
  if (problem) problem.textContent = t('The server doesn’t answer. Try again in a moment.');
});
