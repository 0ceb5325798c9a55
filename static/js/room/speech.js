/** Our own speech on its way up: kept until it is text, and sent in its order, after an outage faster than it was said. */

import { AudioRing } from './ring.js';

const RATE = 16_000;
const HEADER = 8;
const WIDTH = 2; // bytes of a sample
// As long as a machine that has to be started anew may be away, and twice as long as most lost connections.
const MOST = 10 * 60 * RATE;
// Of 32,767: noise so faint is silence to the server's voice gate, and a voice twice as loud, too.
const QUIET = 8 / 32_767;
// So much of such silence is kept behind speech.
const TAIL = RATE;
// Ten times as fast as it was said: ten minutes in one, in a hundred messages a second, which a slow line and the server
// carry beside everything else. And so much at once: most outages are shorter.
const PACE = 10 * RATE;

/** @typedef {string | Uint8Array} Data of a message */

export class Speech {
  #ring = new AudioRing(MOST);
  // The next sample to send.
  #cursor = 0;
  #settled = 0;
  // Samples of silence up to now.
  #quiet = 0;
  // The sample after the newest, and when that was; Date, as performance.now may stand still while the machine sleeps.
  #newest = 0;
  #newestAt = 0;
  // Samples that may be sent now, as of then.
  #credit = PACE;
  #creditAt = performance.now();

  /** Text of our audio up to here is stored: a server that was restarted need not hear it again. */
  get settled() {
    return this.#settled;
  }

  /** @returns {number | undefined} the sample that is being spoken now, if there ever was one */
  get clock() {
    return this.#newestAt ? this.#newest + Math.round(((Date.now() - this.#newestAt) * RATE) / 1000) : undefined;
  }

  /** Seconds that are kept. */
  get kept() {
    return this.#ring.size / RATE;
  }

  /** Seconds that are kept and weren't sent on this connection. */
  get unsent() {
    return this.#ring.after(this.#cursor) / RATE;
  }

  /** Whether some was let go that the server should have had. */
  get lost() {
    return this.#ring.lostFrom(this.#cursor) !== undefined;
  }

  /**
   * @param {import('../types').Frame} frame
   * @param {boolean} live whether it can be sent: else silence isn't kept, as it isn't missed
   */
  keep({ index, frame, peak }, live) {
    const bytes = new Uint8Array(frame, HEADER);
    const samples = bytes.length / WIDTH;
    this.#newest = index + samples;
    this.#newestAt = Date.now();
    this.#quiet = peak > QUIET ? 0 : this.#quiet + samples;
    if (live || this.#quiet <= TAIL) this.#ring.keep(index, bytes);
  }

  /** @param {number} index before which all is text */
  settle(index) {
    this.#settled = Math.max(this.#settled, index);
    this.#ring.settle(this.#settled);
  }

  /**
   * Lets go what was said in pauses, while we couldn't know of them.
   * @param {{ start: number, end: number | null }[]} pauses in seconds of the session
   * @param {number} early the sample at which the session started, if the line has no delay
   * @param {number} late and if all the time until the answer was its delay: the true one is between them
   */
  forget(pauses, early, late) {
    for (const { start, end } of pauses) {
      this.#ring.forget(Math.floor(early + start * RATE), end === null ? Infinity : Math.ceil(late + end * RATE));
    }
  }

  /** @param {number} index of the next sample that the server wants */
  goOn(index) {
    this.#cursor = index;
  }

  /** Whether the pace allows to send now. */
  get mayGo() {
    const now = performance.now();
    this.#credit = Math.min(PACE, this.#credit + ((now - this.#creditAt) * PACE) / 1000);
    this.#creditAt = now;
    return this.#credit > 0;
  }

  /** @returns {Data | undefined} the next message: audio, or in its place what the server lacks and will never get */
  next() {
    const lost = this.#ring.lostFrom(this.#cursor);
    if (lost) {
      this.#cursor = lost.until;
      return JSON.stringify({ type: 'lost', ...lost });
    }
    const piece = this.#ring.next(this.#cursor);
    if (!piece) return;
    this.#cursor = piece.end;
    this.#credit -= piece.end - piece.index;
    const message = new Uint8Array(HEADER + piece.bytes.length);
    new DataView(message.buffer).setBigUint64(0, BigInt(piece.index), true);
    message.set(piece.bytes, HEADER);
    return message;
  }
}
