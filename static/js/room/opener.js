/** Opens a microphone or a camera: the one that was chosen last, and asks the browser for it once at a time. */

import { keep, recall } from '../lib/kept.js';
import { insecureOrigin } from './remedies.js';

/** @typedef {(track: MediaStreamTrack, wanted: () => boolean) => Promise<void> | void} Take `wanted`: whether nobody has cancelled yet */

/** What is thrown here is what `remedyFor` explains. */
export class Opener {
  #device;
  #constraints;
  #cancelled = 0;
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
    const chosen = recall(this.#device);
    this.#starting ??= this.open(chosen ? { deviceId: chosen } : null, take);
    const starting = this.#starting;
    await starting.finally(() => starting === this.#starting && (this.#starting = null));
  }

  /** What is being opened is let go as soon as it comes. */
  cancel() {
    this.#cancelled += 1;
    this.#starting = null;
  }

  /**
   * Opens this device and no other, and keeps the choice for next time.
   * @param {string} deviceId
   * @param {Take | null} take null: the choice is only kept
   */
  async choose(deviceId, take) {
    if (take) await this.open({ deviceId: { exact: deviceId } }, take);
    keep(this.#device, deviceId);
  }

  /**
   * @param {MediaTrackConstraints | null} chosen null: any will do
   * @param {Take} take
   */
  async open(chosen, take) {
    if (!navigator.mediaDevices) throw insecureOrigin();
    const before = this.#cancelled;
    const wanted = () => this.#cancelled === before;
    const stream = await navigator.mediaDevices.getUserMedia(this.#constraints(chosen));
    const [track] = stream.getTracks();
    // Cancelled while the browser was still asking.
    if (wanted()) await take(track, wanted);
    else track.stop();
  }
}
