/** Where the focus goes when what had it is gone: never to nowhere, where no key does what one expects. */

import { find } from '../lib/dom.js';

/** To the head of the room: a screen reader says its title, and Tab goes on from there. */
export function focusRoom() {
  find('[data-title]').focus({ preventScroll: true });
}

/**
 * Changes a part of the page that may have the focus.
 * @param {HTMLElement} box
 * @param {() => void} change what may take the focused element away, or hide it
 * @param {() => void} fallBack puts the focus near it then
 */
export function keepingFocus(box, change, fallBack) {
  const held = box.contains(document.activeElement);
  change();
  if (held && !isThere(document.activeElement)) fallBack();
}

/** A dialog gives the focus back to what had it before; that may be gone, or in a menu that has closed. */
export function wireDialogs() {
  for (const dialog of document.querySelectorAll('dialog')) {
    dialog.addEventListener('close', () => isThere(document.activeElement) || find('#room').dataset.state !== 'joined' || focusRoom());
  }
}

/** @param {Element | null} element a hidden one keeps the focus until the next frame */
function isThere(element) {
  return element !== null && element !== document.body && element.isConnected && element.getClientRects().length > 0;
}
