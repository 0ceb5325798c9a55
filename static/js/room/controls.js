/** The buttons at the thumb and their keys. A label always says what is, never what a click would do. */

import { find, isTyping } from '../lib/dom.js';

/** @typedef {{ microphone: () => void, camera: () => void, settings: () => void, leave: () => void }} Actions */

export class Controls {
  #mic = find('[data-mic]');
  #micText = find('[data-mic-text]');
  #camera = /** @type {HTMLButtonElement} */ (find('[data-camera]'));
  #cameraText = find('[data-camera-text]');
  #level = find('[data-level]');

  /** @param {Actions} actions */
  constructor(actions) {
    this.#mic.addEventListener('click', actions.microphone);
    this.#camera.addEventListener('click', actions.camera);
    find('[data-settings]').addEventListener('click', actions.settings);
    find('[data-leave]').addEventListener('click', actions.leave);
    document.addEventListener('keydown', (event) => this.#key(event, actions));
  }

  /** @param {boolean} on */
  microphone(on) {
    this.#mic.setAttribute('aria-pressed', String(on));
    this.#micText.textContent = on ? 'Microphone is on' : 'Microphone is off';
    if (!on) this.level(0);
  }

  /** @param {boolean} on */
  camera(on) {
    this.#camera.setAttribute('aria-pressed', String(on));
    this.#cameraText.textContent = on ? 'Camera is on' : 'Camera is off';
  }

  /** @param {boolean} possible whether there is a call to show the camera in */
  cameraPossible(possible) {
    this.#camera.disabled = !possible;
  }

  /** @param {number} level 0 to 1 */
  level(level) {
    this.#level.style.setProperty('--level', level.toFixed(2));
  }

  /**
   * @param {KeyboardEvent} event
   * @param {Actions} actions
   */
  #key(event, actions) {
    if (event.repeat || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (find('#room').dataset.state !== 'joined' || document.querySelector('dialog[open]')) return;
    if (event.key.toLowerCase() === 'm') actions.microphone();
    if (event.key.toLowerCase() === 'c' && !this.#camera.disabled) actions.camera();
  }
}
