/** The side of the room: transcript, chat or people, one at a time or none. */

import { find } from '../lib/dom.js';

/** @typedef {'transcript' | 'chat' | 'people'} Panel */

export class Panels {
  #room = find('#room');
  #shown;
  /** @type {Panel | null} */
  #open = 'transcript';

  /** @param {(panel: Panel | null) => void} shown after every change */
  constructor(shown) {
    this.#shown = shown;
    for (const button of document.querySelectorAll('[data-panel-button]')) {
      button.addEventListener('click', () => this.toggle(panelOf(button, 'panelButton')));
    }
    for (const button of document.querySelectorAll('[data-panel-close]')) button.addEventListener('click', () => this.close());
  }

  get open() {
    return this.#open;
  }

  /** @param {Panel} panel */
  toggle(panel) {
    this.#set(this.#open === panel ? null : panel);
    if (this.#open) find(`[data-panel="${panel}"] [data-panel-focus]`).focus();
  }

  /** @param {Panel} panel */
  show(panel) {
    if (this.#open !== panel) this.toggle(panel);
  }

  /** The focus goes back to the button that opened it. */
  close() {
    const panel = this.#open;
    if (!panel) return;
    this.#set(null);
    find(`[data-panel-button="${panel}"]`).focus();
  }

  /** @param {Panel | null} panel */
  #set(panel) {
    this.#open = panel;
    this.#room.dataset.panel = panel ?? 'none';
    for (const section of document.querySelectorAll('[data-panel]')) {
      if (section instanceof HTMLElement && section !== this.#room) section.hidden = panelOf(section, 'panel') !== panel;
    }
    for (const button of document.querySelectorAll('[data-panel-button]')) {
      button.setAttribute('aria-pressed', String(panelOf(button, 'panelButton') === panel));
    }
    this.#shown(panel);
  }
}

/**
 * @param {Element} element
 * @param {'panel' | 'panelButton'} attribute
 */
function panelOf(element, attribute) {
  return /** @type {Panel} */ (/** @type {HTMLElement} */ (element).dataset[attribute]);
}
