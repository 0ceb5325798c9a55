/** The menu that saves the transcript as a file, in the reader's time zone, and the button that copies all of it. */

import { find } from '../lib/dom.js';
import { t } from '../lib/words.js';

const SAID = 4_000; // milliseconds for which the button says what became of a copy

/**
 * A server doesn't know where its reader is; without scripts a file says UTC.
 * @param {HTMLFormElement} form
 */
function tellTimeZone(form) {
  const zone = /** @type {HTMLInputElement} */ (form.elements.namedItem('tz'));
  zone.value = Intl.DateTimeFormat().resolvedOptions().timeZone ?? '';
}

/** @param {HTMLFormElement} form @returns {Promise<Blob>} what Text gives, as it is chosen in the menu */
async function plainText(form) {
  const button = /** @type {HTMLButtonElement} */ (find('[data-export="text"]', form));
  const address = new URL(button.formAction);
  for (const [name, value] of new FormData(form)) address.searchParams.append(name, String(value));
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`the text can't be had: ${answer.status}`);
  return new Blob([await answer.text()], { type: 'text/plain' });
}

/** @param {HTMLFormElement} form */
function offerCopy(form) {
  // Browsers give a clipboard to pages on https and on this computer only.
  if (!navigator.clipboard?.write) return;
  const button = find('[data-copy]');
  const label = button.textContent;
  button.hidden = false;
  button.setAttribute('aria-live', 'polite');
  button.addEventListener('click', async () => {
    try {
      // The promise goes in at once: later, Safari no longer sees that somebody asked for it.
      await navigator.clipboard.write([new ClipboardItem({ 'text/plain': plainText(form) })]);
      button.textContent = t('Copied');
    } catch {
      button.textContent = t('It could not be copied');
    }
    setTimeout(() => (button.textContent = label), SAID);
  });
}

/** @param {HTMLDetailsElement} menu @param {HTMLFormElement} form */
function close(menu, form) {
  form.addEventListener('submit', () => (menu.open = false));
  document.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || !menu.open) return;
    const within = menu.contains(document.activeElement);
    menu.open = false;
    if (within) find('summary', menu).focus();
  });
  for (const kind of ['pointerdown', 'focusin']) {
    document.addEventListener(kind, ({ target }) => {
      if (menu.open && target instanceof Node && !menu.contains(target)) menu.open = false;
    });
  }
}

// Where nothing was said there is nothing to save.
const menu = document.querySelector('#save');
if (menu instanceof HTMLDetailsElement) {
  const form = /** @type {HTMLFormElement} */ (find('.save-panel', menu));
  close(menu, form);
  tellTimeZone(form);
  offerCopy(form);
}
