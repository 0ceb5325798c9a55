/** The camera: one track for the preview, the own tile and the call. */

import { keep, recall } from '../lib/kept.js';
import { insecureOrigin } from './remedies.js';

const CHOICE = 'camera';

/**
 * @typedef {object} CameraEvents
 * @property {(track: MediaStreamTrack | null) => void} track another one, or none any more
 * @property {(error: unknown) => void} gone the device went away
 */

export class Camera {
  #events;
  /** @type {MediaStreamTrack | null} */
  #track = null;
  /** @type {Promise<void> | null} */
  #starting = null;

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
    this.#starting ??= this.#start();
    const starting = this.#starting;
    await starting.finally(() => starting === this.#starting && (this.#starting = null));
  }

  async #start() {
    if (this.#track) return;
    const track = await openTrack(recall(CHOICE));
    // Stopped while the browser was still asking.
    if (this.#starting) this.#adopt(track);
    else track.stop();
  }

  /** @param {string} deviceId kept for next time; opened now only while the camera is on */
  async choose(deviceId) {
    keep(CHOICE, deviceId);
    if (this.#track) this.#adopt(await openTrack(deviceId, true));
  }

  /** Lets the device go, so that its light goes out. */
  stop() {
    this.#starting = null;
    if (this.#track) this.#adopt(null);
  }

  /** @returns {HTMLVideoElement | null} a new view of what the camera sees, as in a mirror unless it looks away from us */
  view() {
    if (!this.#track) return null;
    const video = document.createElement('video');
    video.autoplay = video.muted = video.playsInline = true;
    video.tabIndex = -1;
    video.setAttribute('aria-hidden', 'true');
    video.classList.toggle('mirrored', this.#track.getSettings().facingMode !== 'environment');
    video.srcObject = new MediaStream([this.#track]);
    return video;
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
 * @param {string | null} deviceId
 * @param {boolean} [exactly] no other device will do
 */
async function openTrack(deviceId, exactly = false) {
  if (!navigator.mediaDevices) throw insecureOrigin();
  const video = {
    width: { ideal: 1280 },
    height: { ideal: 720 },
    ...(deviceId ? { deviceId: exactly ? { exact: deviceId } : deviceId } : { facingMode: 'user' }),
  };
  const stream = await navigator.mediaDevices.getUserMedia({ video });
  return stream.getVideoTracks()[0];
}
