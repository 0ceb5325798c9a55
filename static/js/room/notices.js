/** Quiet lines for what lasts, toasts for what has just happened. */

import { find, stamp } from '../lib/dom.js';

const TOAST_TIME = 7_000;
const MOST_TOASTS = 3;

/** @typedef {{ label: string, act: () => void }} Action */

export class Notices {
  #box = find('[data-notices]');
  #toasts = find('[data-toasts]');
  /** @type {Map<string, HTMLElement>} */
  #shown = new Map();

  /**
   * @param {string} topic one line per topic
   * @param {string | null} text null takes the line away
   * @param {Action} [action]
   */
  set(topic, text, action) {
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
    else this.#box.append(line);
    this.#shown.set(topic, line);
  }

  /**
   * @param {string} text gone by itself; the same text is not shown twice at once
   * @param {Action} [action]
   */
  toast(text, action) {
    for (const shown of this.#toasts.children) if (shown.firstChild?.textContent === text) return;
    const toast = document.createElement('p');
    toast.className = 'toast';
    toast.append(text);
    if (action) toast.append(' ', actionButton({ label: action.label, act: () => [toast.remove(), action.act()] }));
    this.#toasts.append(toast);
    while (this.#toasts.childElementCount > MOST_TOASTS) this.#toasts.firstElementChild?.remove();
    setTimeout(() => toast.remove(), TOAST_TIME);
  }
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
