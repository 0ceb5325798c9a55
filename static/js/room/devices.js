/** The fields in which a device is chosen, in the lobby and in the settings: they always show the same. */

import { t } from '../lib/words.js';

/**
 * @typedef {object} Kind
 * @property {MediaDeviceKind} kind
 * @property {(number: number) => string} name for devices that don't tell theirs
 * @property {() => string} current the id in use, '' for none
 * @property {(deviceId: string) => Promise<void>} choose
 */

export class DeviceFields {
  #kind;
  /** @type {HTMLSelectElement[]} */
  #fields;

  /**
   * @param {Kind} kind
   * @param {(error: unknown) => void} failed
   */
  constructor(kind, failed) {
    this.#kind = kind;
    this.#fields = [...document.querySelectorAll(`select[data-devices="${kind.kind}"]`)].filter((field) => field instanceof HTMLSelectElement);
    for (const field of this.#fields) {
      field.addEventListener('change', async () => {
        await kind.choose(field.value).catch(failed);
        await this.list();
      });
    }
    navigator.mediaDevices?.addEventListener('devicechange', () => this.list());
  }

  /** Fills the fields anew; names are known only once a device of the kind was allowed. */
  async list() {
    const all = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
    const devices = all.filter(({ kind, deviceId }) => kind === this.#kind.kind && deviceId);
    for (const field of this.#fields) {
      field.replaceChildren(
        ...devices.map(({ deviceId, label }, place) => new Option(label || this.#kind.name(place + 1), deviceId)),
      );
      field.disabled = devices.length === 0;
      if (devices.length === 0) field.append(new Option(t('Turn it on to choose'), ''));
      else field.value = this.#kind.current() || devices[0].deviceId;
    }
  }
}
