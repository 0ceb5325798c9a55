/** The buttons at the thumb and their keys. A label always says what is, never what a click would do. */

import { find, isTyping } from '../lib/dom.js';

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
 * @property {() => void} leave
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
  /** @type {Record<string, () => void>} */
  #keys;
  #talking = false;

  /** @param {Actions} actions */
  constructor(actions) {
    this.#actions = actions;
    this.#keys = {
      m: () => actions.microphone(),
      c: () => this.#camera.disabled || actions.camera(),
      s: () => this.#share.disabled || this.#share.hidden || actions.share(),
      h: () => actions.hand(),
      l: () => actions.subtitles(),
      r: () => actions.panel('transcript'),
      t: () => actions.panel('chat'),
      p: () => actions.panel('people'),
      f: () => actions.fullScreen(),
      '?': () => actions.shortcuts(),
    };
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
    document.addEventListener('keydown', (event) => this.#keyDown(event));
    document.addEventListener('keyup', (event) => event.key === ' ' && this.#talk(false));
    window.addEventListener('blur', () => this.#talk(false));
  }

  /** @param {boolean} on */
  microphone(on) {
    this.#press(this.#mic, on, '[data-mic-text]', on ? 'Mic on' : 'Mic off');
    if (!on) this.level(0);
  }

  /** @param {boolean} on */
  camera(on) {
    this.#press(this.#camera, on, '[data-camera-text]', on ? 'Camera on' : 'Camera off');
  }

  /** @param {boolean} on */
  sharing(on) {
    this.#press(this.#share, on, '[data-share-text]', on ? 'Sharing' : 'Share');
  }

  /** @param {boolean} up */
  hand(up) {
    this.#press(this.#hand, up, '[data-hand-text]', up ? 'Hand up' : 'Hand');
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
   * @param {string} words
   */
  #press(button, on, label, words) {
    button.setAttribute('aria-pressed', String(on));
    find(label).textContent = words;
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

  /** @param {KeyboardEvent} event */
  #keyDown(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || find('#room').dataset.state !== 'joined') return;
    if (document.querySelector('dialog[open], [popover]:popover-open')) return;
    if (event.key === 'Escape') return void (document.fullscreenElement || this.#actions.closePanel());
    if (isTyping(event.target) || event.repeat) return;
    if (event.key === ' ') return this.#space(event);
    const act = this.#keys[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    act();
  }

  /** Held down it talks; on a button it is that button's own key. @param {KeyboardEvent} event */
  #space(event) {
    if (event.target instanceof Element && event.target.closest('button, a, summary, [data-scroll], [data-chat-scroll]')) return;
    event.preventDefault();
    if (this.#mic.getAttribute('aria-pressed') === 'false') this.#talk(true);
  }

  /** @param {boolean} talk */
  #talk(talk) {
    if (talk === this.#talking) return;
    this.#talking = talk;
    this.#actions.microphone(talk);
  }
}
