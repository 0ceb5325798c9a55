/** One tile: a person's camera or initials, or a shared screen. */

import { find, paint, portray, stamp } from '../lib/dom.js';
import { t } from '../lib/words.js';

/** @typedef {import('../types').Face} Face */
/** @typedef {import('./layout.js').Rect} Rect */

const REACTION_TIME = 3_500;

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
   * @param {() => void} pin
   */
  constructor(screen, pin) {
    this.#screen = screen;
    this.element.classList.toggle('screen', screen);
    this.#pin.addEventListener('click', pin);
    this.element.addEventListener('dblclick', pin);
    this.#pip.addEventListener('click', () => void this.#video?.requestPictureInPicture().catch(() => {}));
    this.#full.addEventListener('click', () => void toggleFullScreen(this.element));
  }

  get #video() {
    return this.#media.querySelector('video');
  }

  /** @param {Face} face */
  draw(face) {
    const { element } = this;
    this.#name = this.#screen ? screenWords(face) : face.name;
    element.dataset.identity = face.identity;
    element.classList.toggle('mine', face.me);
    element.classList.toggle('away', face.away);
    element.classList.toggle('speaking', face.speaking && !this.#screen);
    paint(element, face.hue);
    find('.tile-name', element).textContent = !this.#screen && face.me ? t('{name} (you)', { name: face.name }) : this.#name;
    find('.tile-guest', element).hidden = this.#screen || face.role !== 'GUEST';
    portray(find('.tile-initials', element), face);
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
    const name = this.#name;
    this.#pin.title = pinned ? t('Unpin') : t('Pin');
    this.#pin.setAttribute('aria-label', pinned ? t('Unpin {name}', { name }) : t('Pin {name}', { name }));
  }

  /** @param {Face} face */
  #drawQuality({ quality }) {
    const bars = find('.tile-quality', this.element);
    bars.hidden = this.#screen || quality === 'unknown';
    bars.dataset.quality = quality;
    bars.title = qualityWords(quality);
    find('.visually-hidden', bars).textContent = quality === 'poor' || quality === 'lost' ? qualityWords(quality) : '';
  }
}

/** @param {Face} face whose screen it is */
function screenWords({ me, name }) {
  return me ? t('Your screen') : t('{name}’s screen', { name });
}

/** @param {import('../types').Quality} quality */
function qualityWords(quality) {
  switch (quality) {
    case 'lost':
      return t('connection lost');
    case 'poor':
      return t('weak connection');
    case 'good':
      return t('fair connection');
    case 'excellent':
      return t('good connection');
    default:
      return '';
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
