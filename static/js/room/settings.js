/** The dialog in which a microphone is chosen and its level seen. */

import { find } from '../lib/dom.js';
import { Microphone } from './microphone.js';

export class Settings {
  #dialog = /** @type {HTMLDialogElement} */ (find('[data-settings-dialog]'));
  #select = /** @type {HTMLSelectElement} */ (find('[data-microphones]'));
  #meter = /** @type {HTMLMeterElement} */ (find('[data-meter]'));
  #microphone;

  /**
   * @param {Microphone} microphone
   * @param {(error: unknown) => void} failed
   */
  constructor(microphone, failed) {
    this.#microphone = microphone;
    this.#select.addEventListener('change', () => microphone.choose(this.#select.value).catch(failed));
    navigator.mediaDevices?.addEventListener('devicechange', () => this.#dialog.open && this.#list());
  }

  async open() {
    this.#dialog.showModal();
    await this.#list();
  }

  /** @param {number} level 0 to 1 */
  level(level) {
    if (this.#dialog.open) this.#meter.value = level;
  }

  async #list() {
    const devices = await Microphone.devices();
    this.#select.replaceChildren(
      ...devices.map(({ deviceId, label }, place) => new Option(label || `Microphone ${place + 1}`, deviceId)),
    );
    this.#select.disabled = devices.length === 0;
    if (devices.length === 0) this.#select.append(new Option('Turn the microphone on to choose one'));
    else this.#select.value = this.#microphone.deviceId || devices[0].deviceId;
  }
}
