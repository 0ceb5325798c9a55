/** The side of the room: transcript, chat or people, one at a time or none. */

import { find } from '../lib/dom.js';

/** @typedef {import('../types').Panel} Panel */

export class Panels {
  #room = find('#room');
  #state;

  /**
   * @param {import('./state.js').State} state
   * @param {import('./actions.js').Actions} actions
   */
  constructor(state, actions) {
    this.#state = state;
    actions.on('panel', ({ panelButton }) => this.#toggle(panelButton));
    actions.on('open-chat', () => this.#show('chat'));
    actions.on('close-panel', () => this.#close());
    find('.skip').addEventListener('click', (event) => this.#skip(event));
  }

  get #open() {
    return this.#state.view.panel;
  }

  /** @param {Panel} panel */
  #toggle(panel) {
    if (this.#open !== panel) return this.#show(panel);
    const held = sectionOf(panel).contains(document.activeElement);
    this.#set(null);
    if (held) find(`[data-panel-button="${panel}"]`).focus();
  }

  /** Opens it, and puts the focus where the eyes are. @param {Panel} panel */
  #show(panel) {
    if (this.#open !== panel) this.#set(panel);
    find('[data-panel-focus]', sectionOf(panel)).focus({ preventScroll: true });
  }

  /** The focus goes back to the button that opened it. */
  #close() {
    const panel = this.#open;
    if (!panel) return;
    this.#set(null);
    find(`[data-panel-button="${panel}"]`).focus();
  }

  /** From the top of the page to what is read or written, past all that stands before it. @param {Event} event */
  #skip(event) {
    if (this.#room.dataset.state !== 'joined') return;
    event.preventDefault();
    if (this.#open) this.#show(this.#open);
    else find('[data-mic]').focus();
  }

  /** @param {Panel | null} panel */
  #set(panel) {
    this.#state.set('view', { panel });
    // At once: what is shown takes the focus next.
    this.#room.dataset.panel = panel ?? 'none';
    for (const section of document.querySelectorAll('[data-panel]')) {
      if (section instanceof HTMLElement && section !== this.#room) section.hidden = panelOf(section, 'panel') !== panel;
    }
    for (const button of document.querySelectorAll('[data-panel-button]')) {
      button.setAttribute('aria-pressed', String(panelOf(button, 'panelButton') === panel));
    }
  }
}

/**
 * The room itself says in `data-panel` which one is open, so that the name alone finds the room first.
 * @param {Panel} panel
 */
function sectionOf(panel) {
  return find(`.side[data-panel="${panel}"]`);
}

/**
 * @param {Element} element
 * @param {'panel' | 'panelButton'} attribute
 */
function panelOf(element, attribute) {
  return /** @type {Panel} */ (/** @type {HTMLElement} */ (element).dataset[attribute]);
}
