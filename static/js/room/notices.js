/** Quiet lines for what lasts, toasts for what has just happened. */

import { find, stamp } from '../lib/dom.js';

const TOAST_TIME = 7_000;
const MOST_TOASTS = 3;
// What one can do something about comes first; the style shows the first two, on small screens one.
const RANKS = ['connection', 'consent', 'paused', 'sound', 'microphone', 'camera', 'silent', 'captions', 'minutes', 'video'];

/** @typedef {import('../types').Notice} Notice */
/** @typedef {import('../types').Topic} Topic */

export class Notices {
  #box = find('[data-notices]');
  #toasts = find('[data-toasts]');
  #announcer = find('[data-notice-announcer]');
  /** @type {Map<string, HTMLElement>} */
  #shown = new Map();

  /** @param {import('./state.js').State} state */
  constructor(state) {
    state.on(['notices'], ({ notices }) => {
      for (const [topic, notice] of Object.entries(notices)) this.#draw(topic, notice);
    });
    state.when('toast', (toast) => this.#toast(toast));
    state.on(['view'], ({ view }) => view.panel && this.#seen(view.panel));
  }

  /**
   * @param {string} topic
   * @param {Notice | null} notice
   */
  #draw(topic, notice) {
    const old = this.#shown.get(topic);
    if (!notice) {
      old?.remove();
      this.#shown.delete(topic);
      return;
    }
    if (old && find('.notice-text', old).textContent === notice.text) return;
    const line = stamp('[data-notice-template]');
    line.dataset.topic = topic;
    find('.notice-text', line).textContent = notice.text;
    for (const offer of [notice.offer, notice.or]) if (offer) line.append(button(offer));
    if (notice.link) line.append(link(notice.link));
    if (old) old.replaceWith(line);
    else this.#box.insertBefore(line, /** @type {HTMLElement[]} */ ([...this.#box.children]).find((other) => rank(other) > rank(line)) ?? null);
    this.#shown.set(topic, line);
    // The lines themselves are silent, because most changes of them are no news.
    if (notice.aloud !== false) this.#announcer.textContent = notice.text;
  }

  /** @param {import('../types').Happenings['toast']} toast gone by itself; the same text is not shown twice at once */
  #toast({ text, offer, topic = '' }) {
    for (const shown of this.#toasts.children) if (shown.firstChild?.textContent === text) return;
    const toast = document.createElement('p');
    toast.className = 'toast';
    toast.dataset.topic = topic;
    toast.append(text);
    if (offer) {
      const act = button(offer);
      act.addEventListener('click', () => toast.remove());
      toast.append(' ', act);
    }
    this.#toasts.append(toast);
    while (this.#toasts.childElementCount > MOST_TOASTS) this.#toasts.firstElementChild?.remove();
    setTimeout(() => toast.remove(), TOAST_TIME);
  }

  /** @param {string} topic of toasts that are no news any more */
  #seen(topic) {
    for (const toast of /** @type {Iterable<HTMLElement>} */ ([...this.#toasts.children])) if (toast.dataset.topic === topic) toast.remove();
  }
}

/** @param {HTMLElement} line */
function rank(line) {
  return RANKS.indexOf(line.dataset.topic ?? '');
}

/** @param {import('../types').Offer} offer */
function button({ label, act }) {
  const element = document.createElement('button');
  element.type = 'button';
  element.className = 'text-button';
  element.textContent = label;
  element.dataset.do = act;
  return element;
}

/** @param {{ label: string, href: string }} way */
function link({ label, href }) {
  return Object.assign(document.createElement('a'), { textContent: label, href, target: '_blank', className: 'text-button' });
}
