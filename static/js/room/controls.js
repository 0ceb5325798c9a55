/** The buttons at the thumb and their keys. A label always says what is, never what a click would do. */

import { find } from '../lib/dom.js';
import { t } from '../lib/words.js';
import { Keys } from './keys.js';

/**
 * @typedef {object} Actions
 * @property {(on?: boolean) => void} microphone toggles, or sets
 * @property {() => void} camera
 * @property {() => void} share
 * @property {() => void} hand
 * @property {(emoji: string) => void} react
 * @property {() => void} settings
 * @property {() => void} shortcuts
 * @property {() => void} fullScreen
 * @property {(event: Event) => void} leave
 * @property {() => void} subtitles
 * @property {(panel: 'transcript' | 'chat' | 'people') => void} panel
 * @property {() => void} closePanel
 */

export class Controls {
  #mic = find('[data-mic]');
  #camera = /** @type {HTMLButtonElement} */ (find('[data-camera]'));
  #share = /** @type {HTMLButtonElement} */ (find('[data-share]'));
  #hand = find('[data-hand]');
  #level = find('[data-level]');
  #reactions = find('[data-reactions]');
  #actions;
  #keys;

  /** @param {Actions} actions */
  constructor(actions) {
    this.#actions = actions;
    this.#keys = this.#newKeys();
    this.#mic.addEventListener('click', () => actions.microphone());
    this.#camera.addEventListener('click', actions.camera);
    this.#share.addEventListener('click', actions.share);
    this.#hand.addEventListener('click', actions.hand);
    find('[data-settings]').addEventListener('click', actions.settings);
    find('[data-shortcuts]').addEventListener('click', actions.shortcuts);
    find('[data-full-screen]').addEventListener('click', actions.fullScreen);
    find('[data-leave]').addEventListener('click', actions.leave);
    this.#reactions.addEventListener('click', (event) => this.#reacted(event));
    find('[data-controls]').addEventListener('click', (event) => this.#settle(event));
    this.#share.hidden = !navigator.mediaDevices?.getDisplayMedia;
    find('[data-full-screen]').hidden = !document.fullscreenEnabled;
  }

  /** A panel was opened: what is typed next is meant for it. */
  panelOpened() {
    this.#keys.settle();
  }

  #newKeys() {
    const { microphone, camera, share, hand, subtitles, panel, fullScreen, shortcuts, closePanel } = this.#actions;
    return new Keys(
      {
        m: { act: () => microphone(), grave: () => !isPressed(this.#mic) },
        c: { act: () => this.#camera.disabled || camera(), grave: () => !isPressed(this.#camera) },
        s: { act: () => this.#share.disabled || this.#share.hidden || share(), grave: () => !isPressed(this.#share) },
        h: { act: hand, grave: () => !isPressed(this.#hand) },
        f: { act: fullScreen, grave: () => true },
        l: { act: subtitles },
        r: { act: () => panel('transcript') },
        t: { act: () => panel('chat') },
        p: { act: () => panel('people') },
        '?': { act: shortcuts },
      },
      { possible: () => !isPressed(this.#mic), talk: (on) => microphone(on) },
      closePanel,
    );
  }

  /** @param {boolean} on */
  microphone(on) {
    this.#press(this.#mic, on, '[data-mic-text]', on ? t('Mic on') : t('Mic off'));
    if (!on) this.level(0);
  }

  /** @param {boolean} on */
  camera(on) {
    this.#press(this.#camera, on, '[data-camera-text]', on ? t('Camera on') : t('Camera off'));
  }

  /** @param {boolean} on */
  sharing(on) {
    this.#press(this.#share, on, '[data-share-text]', on ? t('Sharing') : t('Share'));
  }

  /** @param {boolean} up */
  hand(up) {
    this.#press(this.#hand, up, '[data-hand-text]', up ? t('Hand up') : t('Hand'));
  }

  /**
   * @param {boolean} camera whether it can be turned on or off now
   * @param {boolean} share
   */
  possible(camera, share) {
    this.#camera.disabled = !camera;
    this.#share.disabled = !share;
  }

  /** @param {number} level 0 to 1 */
  level(level) {
    this.#level.style.setProperty('--level', level.toFixed(2));
  }

  /**
   * @param {Element} button
   * @param {boolean} on
   * @param {string} label
   * @param {string} words of which the first is the button's name, in every language
   */
  #press(button, on, label, words) {
    button.setAttribute('aria-pressed', String(on));
    // "Mic on, pressed" would say it twice: the name is "Mic", and whether it is pressed says the rest.
    const [name, ...state] = words.split(' ');
    const seen = document.createElement('span');
    seen.ariaHidden = 'true';
    seen.textContent = state.map((word) => ` ${word}`).join('');
    find(label).replaceChildren(name, seen);
  }

  /** @param {Event} event */
  #reacted({ target }) {
    const emoji = target instanceof HTMLElement ? target.closest('button')?.dataset.emoji : undefined;
    if (!emoji) return;
    this.#actions.react(emoji);
    this.#reactions.hidePopover();
  }

  /**
   * After a click with the mouse the focus doesn't stay, so that space talks instead of clicking again; a menu closes.
   * @param {MouseEvent} event
   */
  #settle({ target, detail }) {
    const button = target instanceof Element ? target.closest('button') : null;
    if (!button) return;
    if (detail > 0) button.blur();
    const menu = find('[data-more-menu]');
    if (menu.contains(button) && !button.hasAttribute('popovertarget') && menu.matches(':popover-open')) menu.hidePopover();
  }
}

/** @param {Element} button */
function isPressed(button) {
  return button.getAttribute('aria-pressed') === 'true';
}
