/** Buttons that copy what they carry, such as a session's link in the list, and say so. */

import { copied } from '../lib/clipboard.js';
import { t } from '../lib/words.js';

const SAID_FOR = 2_000;

// On the document: rows come and go.
document.addEventListener('click', async (event) => {
  const button = event.target instanceof Element ? event.target.closest('[data-copy]') : null;
  if (!(button instanceof HTMLElement)) return;
  const link = button.dataset.copy ?? '';
  const said = document.getElementById('sessions-said');
  if (!(await copied(link))) {
    if (said) said.textContent = t('Your browser doesn’t let us copy. The link is {link}', { link });
    return;
  }
  const words = (button.dataset.words ??= button.textContent ?? '');
  button.textContent = t('Copied');
  if (said) said.textContent = t('Copied');
  setTimeout(() => {
    button.textContent = words;
    if (said?.textContent === t('Copied')) said.textContent = '';
  }, SAID_FOR);
});
