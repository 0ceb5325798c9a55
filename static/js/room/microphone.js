/** One microphone for captions and call: one MediaStreamTrack, read as 16 kHz frames. */

import { Opener } from './opener.js';

const RATE = 16_000;
const FRAME = 640;
const SILENT_AFTER = 5; // seconds
// Not performance.now: in some browsers that stands still while the machine sleeps.
const LOADED = Date.now();
const VOICE = { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true };

/**
 * @typedef {object} MicrophoneEvents
 * @property {(frame: import('../types').Frame) => void} frame while on, and not withheld
 * @property {(level: number) => void} level 0 to 1
 * @property {(silent: boolean) => void} silent nothing but zeros, or nothing at all, for five seconds, or no longer
 * @property {(track: MediaStreamTrack) => void} track another track took over
 * @property {(error: unknown) => void} gone the device went away and no other could be opened
 */

/** Owns the track, the audio graph and the audio clock. */
export class Microphone {
  #events;
  #opener = new Opener('microphone', (chosen) => ({ audio: { ...VOICE, ...chosen } }));
  /** @type {AudioContext | null} */
  #context = null;
  /** @type {AudioWorkletNode | null} */
  #node = null;
  /** @type {MediaStreamAudioSourceNode | null} */
  #source = null;
  /** @type {MediaStreamTrack | null} */
  #track = null;
  #on = false;
  // What was asked for last, also while the device is being opened.
  #meant = false;
  #withheld = false;
  // How often that has changed: a frame of before is on its way for a moment.
  #turn = 0;
  // One past the last sample that was numbered: a new audio graph never goes back.
  #end = 0;
  #zeros = 0;
  #silent = false;
  // When a frame came or it was turned on; an audio system that was suspended gives no frames, not even of zeros.
  #heardAt = 0;

  /** @param {MicrophoneEvents} events */
  constructor(events) {
    this.#events = events;
    document.addEventListener('visibilitychange', () => this.#wake());
    document.addEventListener('pointerdown', () => this.#wake());
    document.addEventListener('keydown', () => this.#wake());
    setInterval(() => this.#watch(), 1000);
  }

  get isOn() {
    return this.#on;
  }

  /** Whether it is on, or will be once its device has opened. */
  get isMeant() {
    return this.#meant;
  }

  get track() {
    return this.#track;
  }

  get deviceId() {
    return this.#track?.getSettings().deviceId ?? '';
  }

  /** Opens the kept or default device and turns on, unless it was turned off meanwhile. Call from a click. Throws what `remedyFor` explains. */
  async start() {
    this.#meant = true;
    try {
      await this.#opener.start((track, wanted) => this.#begin(track, wanted));
    } catch (error) {
      this.#meant = false;
      throw error;
    }
  }

  /**
   * @param {MediaStreamTrack} track
   * @param {() => boolean} wanted
   */
  async #begin(track, wanted) {
    try {
      await this.#listen(track);
    } catch (error) {
      track.stop();
      throw error;
    }
    // Stopped while the audio graph was in the making.
    if (wanted()) this.setOn(this.#meant);
    else this.#release();
  }

  /** @param {boolean} on false: the track gives zeros, and no frame leaves */
  setOn(on) {
    this.#meant = on;
    this.#on = on && this.#track !== null;
    if (this.#track) this.#track.enabled = this.#on;
    this.#hear(null);
    this.#wake();
    if (!this.#on) this.#events.level(0);
  }

  /** @param {boolean} on nothing of it leaves the audio thread but how loud it is; the track, and so the call, goes on */
  withhold(on) {
    if (on === this.#withheld) return;
    this.#withheld = on;
    this.#turn += 1;
    this.#node?.port.postMessage({ withheld: on, turn: this.#turn });
  }

  /** @param {string} deviceId kept for next time; opened now only while there is a track */
  async choose(deviceId) {
    await this.#opener.choose(deviceId, this.#track && ((track) => this.#switch(track)));
  }

  /** @param {MediaStreamTrack} track */
  async #switch(track) {
    await this.#listen(track);
    this.#events.track(track);
  }

  /**
   * Reads another track from now on: a switched device, or one that the call has restarted.
   * @param {MediaStreamTrack} track
   */
  async adopt(track) {
    if (track !== this.#track) await this.#listen(track);
  }

  /** Lets the device go; `start` opens it again. */
  stop() {
    this.#meant = false;
    this.#opener.cancel();
    this.#release();
  }

  #release() {
    this.#on = false;
    this.#track?.stop();
    void this.#context?.close();
    this.#track = this.#context = this.#source = null;
  }

  /** @param {MediaStreamTrack} track */
  async #listen(track) {
    const previous = this.#track;
    this.#source?.disconnect();
    const stream = new MediaStream([track]);
    const { context, source } = await this.#graphFor(stream);
    source.connect(/** @type {AudioWorkletNode} */ (this.#node));
    void context.resume();
    this.#source = source;
    this.#track = track;
    track.enabled = this.#on;
    track.addEventListener('ended', () => this.#reopen(track), { once: true });
    if (previous && previous !== track) previous.stop();
    this.#hear(null);
  }

  /** @param {MediaStream} stream */
  async #graphFor(stream) {
    this.#context ??= await this.#open(new AudioContext({ sampleRate: RATE, latencyHint: 'interactive' }));
    try {
      return { context: this.#context, source: this.#context.createMediaStreamSource(stream) };
    } catch {
      // Some browsers can't read a device at another rate than its own: resample in the worklet instead.
      await this.#context.close();
      this.#context = await this.#open(new AudioContext({ latencyHint: 'interactive' }));
      return { context: this.#context, source: this.#context.createMediaStreamSource(stream) };
    }
  }

  /** @param {AudioContext} context */
  async #open(context) {
    await context.audioWorklet.addModule(new URL('./worklet.js', import.meta.url));
    const index = Math.max(this.#end, Math.round(((Date.now() - LOADED) * RATE) / 1000));
    this.#node?.port.close();
    this.#node = new AudioWorkletNode(context, 'microphone', {
      numberOfOutputs: 0,
      channelCount: 1,
      channelCountMode: 'explicit',
      processorOptions: { index, withheld: this.#withheld, turn: this.#turn },
    });
    this.#node.port.onmessage = ({ data }) => this.#take(data);
    return context;
  }

  /** @param {import('../types').Heard} heard */
  #take({ index, frame, peak, turn }) {
    this.#end = index + FRAME;
    if (!this.#on) return;
    this.#hear(peak);
    this.#events.level(peak);
    if (frame && turn === this.#turn) this.#events.frame({ index, frame, peak });
  }

  /** @param {number | null} peak null starts counting anew */
  #hear(peak) {
    this.#zeros = peak === 0 ? this.#zeros + FRAME : 0;
    this.#heardAt = performance.now();
    this.#tell(this.#zeros >= SILENT_AFTER * RATE);
  }

  #watch() {
    if (!this.#on || performance.now() - this.#heardAt <= SILENT_AFTER * 1000) return;
    this.#tell(true);
    this.#events.level(0);
  }

  /** @param {boolean} silent */
  #tell(silent) {
    if (silent === this.#silent) return;
    this.#silent = silent;
    this.#events.silent(silent);
  }

  /** A phone call or a sleeping machine suspends audio; coming back or any touch wakes it. */
  #wake() {
    if (this.#context && this.#context.state !== 'running' && this.#context.state !== 'closed') void this.#context.resume();
  }

  /** @param {MediaStreamTrack} ended */
  async #reopen(ended) {
    if (ended !== this.#track) return;
    try {
      await this.#opener.open(null, (track) => this.#switch(track));
    } catch (error) {
      this.setOn(false);
      this.#track = null;
      this.#events.gone(error);
    }
  }
}
