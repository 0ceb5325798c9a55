/** Opens a microphone or a camera: the one that was chosen last, and asks the browser for it once at a time. */

import { keep, recall } from '../lib/kept.js';
import { insecureOrigin } from './remedies.js';

/** @typedef {(track: MediaStreamTrack) => Promise<void> | void} Take */

/** What is thrown here is what `remedyFor` explains. */
export class Opener {
  #device;
  #constraints;
  /** @type {Promise<void> | null} */
  #starting = null;

  /**
   * @param {import('./remedies.js').Device} device
   * @param {(chosen: MediaTrackConstraints | null) => MediaStreamConstraints} constraints null: no device was chosen
   */
  constructor(device, constraints) {
    this.#device = device;
    this.#constraints = constraints;
  }

  /**
   * Opens the kept or default device, unless that is under way.
   * @param {Take} take
   */
  async start(take) {
    this.#starting ??= this.#start(take);
    const starting = this.#starting;
    await starting.finally(() => starting === this.#starting && (this.#starting = null));
  }

  /** @param {Take} take */
  async #start(take) {
    const chosen = recall(this.#device);
    const track = await this.#open(chosen ? { deviceId: chosen } : null);
    // Cancelled while the browser was still asking.
    if (this.#starting) await take(track);
    else track.stop();
  }

  /** What is being started is let go as soon as it comes. */
  cancel() {
    this.#starting = null;
  }

  /**
   * Opens this device and no other, and keeps the choice for next time.
   * @param {string} deviceId
   * @param {Take | null} take null: the choice is only kept
   */
  async choose(deviceId, take) {
    if (take) await take(await this.#open({ deviceId: { exact: deviceId } }));
    keep(this.#device, deviceId);
  }

  /** Opens whatever there is. */
  replace() {
    return this.#open(null);
  }

  /** @param {MediaTrackConstraints | null} chosen */
  async #open(chosen) {
    if (!navigator.mediaDevices) throw insecureOrigin();
    const stream = await navigator.mediaDevices.getUserMedia(this.#constraints(chosen));
    return stream.getTracks()[0];
  }
}
