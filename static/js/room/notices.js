/** Quiet lines for what lasts, toasts for what has just happened. */

import { find, stamp } from '../lib/dom.js';

const TOAST_TIME = 7_000;
const MOST_TOASTS = 3;
// What one can do something about comes first; the style shows the first two, on small screens one.
const RANKS = ['connection', 'sound', 'microphone', 'camera', 'silent', 'captions', 'video'];

/** @typedef {{ label: string, act: () => void }} Action */

export class Notices {
  #box = find('[data-notices]');
  #toasts = find('[data-toasts]');
  #announcer = find('[data-notice-announcer]');
  /** @type {Map<string, HTMLElement>} */
  #shown = new Map();

  /**
   * @param {string} topic one line per topic
   * @param {string | null} text null takes the line away
   * @param {Action} [action]
   * @param {boolean} [aloud] whether a screen reader says it too
   */
  set(topic, text, action, aloud = true) {
    const old = this.#shown.get(topic);
    if (text === null) {
      old?.remove();
      this.#shown.delete(topic);
      return;
    }
    if (old && find('.notice-text', old).textContent === text) return;
    const line = stamp('[data-notice-template]');
    line.dataset.topic = topic;
    find('.notice-text', line).textContent = text;
    if (action) line.append(actionButton(action));
    if (old) old.replaceWith(line);
    else this.#box.insertBefore(line, /** @type {HTMLElement[]} */ ([...this.#box.children]).find((other) => rank(other) > rank(line)) ?? null);
    this.#shown.set(topic, line);
    // The lines themselves are silent, because most changes of them are no news.
    if (aloud) this.#announcer.textContent = text;
  }

  /**
   * @param {string} text gone by itself; the same text is not shown twice at once
   * @param {Action} [action]
   * @param {string} [topic] by which it can be taken away
   */
  toast(text, action, topic = '') {
    for (const shown of this.#toasts.children) if (shown.firstChild?.textContent === text) return;
    const toast = document.createElement('p');
    toast.className = 'toast';
    toast.dataset.topic = topic;
    toast.append(text);
    if (action) toast.append(' ', actionButton({ label: action.label, act: () => [toast.remove(), action.act()] }));
    this.#toasts.append(toast);
    while (this.#toasts.childElementCount > MOST_TOASTS) this.#toasts.firstElementChild?.remove();
    setTimeout(() => toast.remove(), TOAST_TIME);
  }

  /** @param {string} topic of toasts that are no news any more */
  seen(topic) {
    for (const toast of /** @type {Iterable<HTMLElement>} */ ([...this.#toasts.children])) if (toast.dataset.topic === topic) toast.remove();
  }
}

/** @param {HTMLElement} line */
function rank(line) {
  return RANKS.indexOf(line.dataset.topic ?? '');
}

/** @param {Action} action */
function actionButton({ label, act }) {
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'text-button';
  button.textContent = label;
  button.addEventListener('click', act);
  return button;
}
