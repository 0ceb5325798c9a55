/** The last seconds of audio, kept until the server surely has them. */

/** @typedef {{ index: number, end: number, frame: ArrayBuffer }} Kept */

export class AudioRing {
  /** @type {Kept[]} */
  #kept = [];
  #span;

  /** @param {number} span samples to keep */
  constructor(span) {
    this.#span = span;
  }

  /**
   * @param {number} index of the first sample
   * @param {number} samples
   * @param {ArrayBuffer} frame
   * @returns {number} the index up to which audio has been let go
   */
  keep(index, samples, frame) {
    const end = index + samples;
    this.#kept.push({ index, end, frame });
    let gone = 0;
    while (this.#kept[0].end <= end - this.#span) gone = this.#kept.shift()?.end ?? gone;
    return gone;
  }

  /**
   * @param {number} index
   * @returns {Kept | undefined} the first frame that holds audio from `index` on
   */
  from(index) {
    const last = this.#kept.at(-1);
    if (!last || last.end <= index) return undefined;
    // Live sending asks for the newest frame, so look from the end.
    let place = this.#kept.length - 1;
    while (place > 0 && this.#kept[place - 1].end > index) place -= 1;
    return this.#kept[place];
  }
}
