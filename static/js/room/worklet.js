/** Runs on the audio thread: microphone blocks in, audio messages of docs/protocol.md out. */

import { Resampler } from './resampler.js';

const RATE = 16_000;
const FRAME = 640;
const HEADER = 8;
// A gap between the audio clock and the wall clock that means the machine slept or audio was interrupted.
const SLEPT = RATE;

class MicrophoneProcessor extends AudioWorkletProcessor {
  #resampler = sampleRate === RATE ? null : new Resampler(sampleRate, RATE);
  #silence = new Float32Array(128);
  #emit = (/** @type {number} */ sample) => this.#take(sample);
  #frame = new DataView(new ArrayBuffer(HEADER + 2 * FRAME));
  #filled = 0;
  #peak = 0;
  #index;
  #anchor;
  // Whether nothing of it leaves this thread but how loud it is, and how often that has changed.
  #withheld;
  #turn;

  /** @param {AudioWorkletNodeOptions} options */
  constructor(options) {
    super();
    this.#index = options.processorOptions.index;
    this.#anchor = Date.now() - (this.#index * 1000) / RATE;
    ({ withheld: this.#withheld, turn: this.#turn } = options.processorOptions);
    this.port.onmessage = ({ data }) => this.#begin(data);
  }

  /**
   * What was begun under another rule goes with it: no frame has a part of both.
   * @param {{ withheld: boolean, turn: number }} rule
   */
  #begin({ withheld, turn }) {
    this.#withheld = withheld;
    this.#turn = turn;
    this.#index += this.#filled;
    this.#empty();
  }

  /** @param {Float32Array[][]} inputs without a source there is no channel: that is silence, and time goes on */
  process(inputs) {
    const block = inputs[0]?.[0] ?? this.#silence;
    if (this.#resampler) this.#resampler.push(block, this.#emit);
    else block.forEach(this.#emit);
    return true;
  }

  /** @param {number} sample */
  #take(sample) {
    const value = Math.round(Math.max(-1, Math.min(1, sample)) * 32_767);
    this.#frame.setInt16(HEADER + 2 * this.#filled, value, true);
    this.#peak = Math.max(this.#peak, Math.abs(value));
    this.#filled += 1;
    if (this.#filled === FRAME) this.#post();
  }

  #post() {
    this.#catchUp();
    this.#frame.setBigUint64(0, BigInt(this.#index), true);
    const frame = this.#withheld ? null : this.#frame.buffer;
    this.port.postMessage({ index: this.#index, frame, peak: this.#peak / 32_767, turn: this.#turn }, frame ? [frame] : []);
    this.#index += FRAME;
    this.#empty();
  }

  #empty() {
    this.#frame = new DataView(new ArrayBuffer(HEADER + 2 * FRAME));
    this.#filled = 0;
    this.#peak = 0;
  }

  /** The clock goes on while the machine sleeps: the index follows, so that times stay true. */
  #catchUp() {
    const due = Math.round(((Date.now() - this.#anchor) * RATE) / 1000) - FRAME;
    if (due - this.#index > SLEPT) this.#index = due;
  }
}

registerProcessor('microphone', MicrophoneProcessor);
