/** The camera: one track for the preview, the own tile and the call. */

import { Opener } from './opener.js';

const SIZE = { width: { ideal: 1280 }, height: { ideal: 720 } };

/**
 * @typedef {object} CameraEvents
 * @property {(track: MediaStreamTrack | null) => void} track another one, or none any more
 * @property {(error: unknown) => void} gone the device went away
 */

export class Camera {
  #events;
  #opener = new Opener('camera', (chosen) => ({ video: { ...SIZE, ...(chosen ?? { facingMode: 'user' }) } }));
  /** @type {MediaStreamTrack | null} */
  #track = null;

  /** @param {CameraEvents} events */
  constructor(events) {
    this.#events = events;
  }

  get isOn() {
    return this.#track !== null;
  }

  get track() {
    return this.#track;
  }

  get deviceId() {
    return this.#track?.getSettings().deviceId ?? '';
  }

  /** Opens the kept or default camera. Throws what `remedyFor` explains. */
  async start() {
    if (!this.#track) await this.#opener.start((track) => this.#adopt(track));
  }

  /** @param {string} deviceId kept for next time; opened now only while the camera is on */
  async choose(deviceId) {
    await this.#opener.choose(deviceId, this.#track && ((track) => this.#adopt(track)));
  }

  /** Lets the device go, so that its light goes out. */
  stop() {
    this.#opener.cancel();
    if (this.#track) this.#adopt(null);
  }

  /** @param {MediaStreamTrack | null} track */
  #adopt(track) {
    const previous = this.#track;
    this.#track = track;
    this.#events.track(track);
    previous?.stop();
    track?.addEventListener('ended', () => {
      if (track !== this.#track) return;
      this.#adopt(null);
      this.#events.gone(new DOMException('the camera went away', 'NotFoundError'));
    });
  }
}

/**
 * @param {MediaStreamTrack} track of our camera
 * @returns {HTMLVideoElement} a new view of what it sees, as in a mirror unless it looks away from us
 */
export function viewOf(track) {
  const video = document.createElement('video');
  video.autoplay = video.muted = video.playsInline = true;
  video.tabIndex = -1;
  video.setAttribute('aria-hidden', 'true');
  video.classList.toggle('mirrored', track.getSettings().facingMode !== 'environment');
  video.srcObject = new MediaStream([track]);
  return video;
}
