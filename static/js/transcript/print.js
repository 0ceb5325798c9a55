/** The transcript page's print button, shown only where it can work: it brings all lines first. */

import { load } from './going.js';
import { find } from '../lib/dom.js';
import { t } from '../lib/words.js';

for (const button of document.querySelectorAll('[data-print]')) {
  if (!(button instanceof HTMLButtonElement)) continue;
  button.removeAttribute('hidden');
  const words = button.textContent;
  button.addEventListener('click', async () => {
    button.disabled = true;
    try {
      if (find('#transcript').querySelector('.more-lines')) await load({ all: '' });
      button.textContent = words;
      window.print();
    } catch {
      button.textContent = t('It could not be printed');
    }
    button.disabled = false;
  });
}
