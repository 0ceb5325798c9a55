/** One tile: a person's camera or initials, or a shared screen. */

import { find, paint, stamp } from '../lib/dom.js';
import { initials } from '../lib/text.js';

/** @typedef {import('../types').Face} Face */
/** @typedef {import('./layout.js').Rect} Rect */

const QUALITY = { lost: 'connection lost', poor: 'weak connection', good: 'fair connection', excellent: 'good connection', unknown: '' };
const REACTION_TIME = 3_500;

/**
 * @typedef {object} TileActions
 * @property {() => void} pin
 * @property {() => void} stopSharing
 */

export class Tile {
  element = stamp('[data-tile-template]');
  #media = find('.tile-media', this.element);
  #pin = find('[data-pin]', this.element);
  #pip = find('[data-pip]', this.element);
  #full = find('[data-full]', this.element);
  #stop = find('[data-stop]', this.element);
  #screen;
  #name = '';

  /**
   * @param {boolean} screen whether it shows a screen rather than a person
   * @param {TileActions} actions
   */
  constructor(screen, { pin, stopSharing }) {
    this.#screen = screen;
    this.element.classList.toggle('screen', screen);
    this.#pin.addEventListener('click', pin);
    this.element.addEventListener('dblclick', pin);
    this.#stop.addEventListener('click', stopSharing);
    this.#pip.addEventListener('click', () => void this.#video?.requestPictureInPicture().catch(() => {}));
    this.#full.addEventListener('click', () => void toggleFullScreen(this.element));
  }

  get #video() {
    return this.#media.querySelector('video');
  }

  /** @param {Face} face */
  draw(face) {
    const { element } = this;
    this.#name = this.#screen ? `${face.me ? 'Your' : `${face.name}’s`} screen` : face.name;
    element.dataset.identity = face.identity;
    element.classList.toggle('mine', face.me);
    element.classList.toggle('away', face.away);
    element.classList.toggle('speaking', face.speaking && !this.#screen);
    paint(element, face.hue);
    find('.tile-name', element).textContent = this.#screen ? this.#name : `${face.name}${face.me ? ' (you)' : ''}`;
    find('.tile-guest', element).hidden = this.#screen || face.role !== 'GUEST';
    find('.tile-initials', element).textContent = initials(face.name);
    find('.tile-mic', element).hidden = this.#screen || face.mic;
    find('.tile-hand', element).hidden = this.#screen || !face.hand;
    this.#stop.hidden = !(this.#screen && face.me);
    this.#drawQuality(face);
    const state = find('.tile-state', element);
    state.textContent = this.#screen ? '' : face.trouble;
    state.title = face.reason;
    this.#label();
  }

  /** @param {HTMLElement | null} element the picture; null shows initials */
  picture(element) {
    this.#media.replaceChildren(...(element ? [element] : []));
    find('.tile-initials', this.element).hidden = Boolean(element) || this.#screen;
    this.element.classList.toggle('has-video', Boolean(element));
  }

  /** @param {boolean} pinned */
  pinned(pinned) {
    this.#pin.setAttribute('aria-pressed', String(pinned));
    this.element.classList.toggle('pinned', pinned);
    this.#label();
  }

  /**
   * @param {Rect | null} rect null: on another page
   * @param {boolean} large
   */
  place(rect, large) {
    this.element.hidden = rect === null;
    if (!rect) return;
    put(this.element, rect);
    this.element.classList.toggle('large', large);
    this.element.classList.toggle('small', rect.width < 200);
    this.#pip.hidden = !(large && document.pictureInPictureEnabled && this.#video);
    this.#full.hidden = !(large && document.fullscreenEnabled);
  }

  /** @param {string} emoji shown for a moment */
  react(emoji) {
    const reaction = document.createElement('span');
    reaction.className = 'tile-reaction';
    reaction.textContent = emoji;
    this.element.append(reaction);
    setTimeout(() => reaction.remove(), REACTION_TIME);
  }

  /** @param {boolean} stop whether Tab stops at this tile's pin */
  tabStop(stop) {
    this.#pin.tabIndex = stop ? 0 : -1;
  }

  focus() {
    this.#pin.focus();
  }

  #label() {
    const pinned = this.#pin.getAttribute('aria-pressed') === 'true';
    this.#pin.title = pinned ? 'Unpin' : 'Pin';
    this.#pin.setAttribute('aria-label', `${pinned ? 'Unpin' : 'Pin'} ${this.#name}`);
  }

  /** @param {Face} face */
  #drawQuality({ quality }) {
    const bars = find('.tile-quality', this.element);
    bars.hidden = this.#screen || quality === 'unknown';
    bars.dataset.quality = quality;
    bars.title = QUALITY[quality] ?? '';
    find('.visually-hidden', bars).textContent = quality === 'poor' || quality === 'lost' ? QUALITY[quality] : '';
  }
}

/**
 * Moves by transform, so that nothing else on the page has to be laid out again.
 * @param {HTMLElement} element
 * @param {Rect} rect
 */
export function put(element, rect) {
  for (const [name, value] of Object.entries(rect)) element.style.setProperty(`--${name}`, `${value.toFixed(1)}px`);
}

/** @param {Element} element */
export async function toggleFullScreen(element) {
  if (document.fullscreenElement) await document.exitFullscreen();
  else await element.requestFullscreen().catch(() => {});
}
