/** The last minutes of audio, kept until the server surely has them. */

/** @typedef {{ index: number, end: number, frame: ArrayBuffer }} Kept */
/** @typedef {{ from: number, until: number }} Stretch samples, the last one not included */

// Stretches of what was lost are remembered, so that the server can be told what it will never get.
const STRETCHES = 50;
// Samples: audio that was lost around so short a pause is one stretch.
const PAUSE = 2 * 16_000;

export class AudioRing {
  /** @type {Kept[]} */
  #kept = [];
  /** @type {Stretch[]} */
  #lost = [];
  #span;

  /** @param {number} span samples to keep */
  constructor(span) {
    this.#span = span;
  }

  /**
   * @param {number} index of the first sample
   * @param {number} samples
   * @param {ArrayBuffer} frame
   * @param {number} sent the sample up to which audio was sent: what is let go before it isn't lost
   */
  keep(index, samples, frame, sent) {
    const end = index + samples;
    this.#kept.push({ index, end, frame });
    let old = 0;
    for (; this.#kept[old].end <= end - this.#span; old += 1) if (this.#kept[old].end > sent) this.#lose(this.#kept[old]);
    if (old) this.#kept.splice(0, old);
  }

  /** @param {Kept} frame */
  #lose({ index, end }) {
    const last = this.#lost.at(-1);
    if (last && index - last.until <= PAUSE) last.until = end;
    else this.#lost.push({ from: index, until: end });
    if (this.#lost.length > STRETCHES) this.#lost.shift();
  }

  /**
   * @param {number} index
   * @returns {Kept | undefined} the first frame that holds audio from `index` on
   */
  from(index) {
    let place = 0;
    for (let after = this.#kept.length; place < after; ) {
      const middle = (place + after) >> 1;
      if (this.#kept[middle].end > index) after = middle;
      else place = middle + 1;
    }
    return this.#kept[place];
  }

  /**
   * @param {number} index
   * @returns {Stretch | undefined} the first audio from `index` on that was let go before it was sent; a microphone that was off isn't lost
   */
  lostFrom(index) {
    const stretch = this.#lost.find(({ until }) => until > index);
    return stretch && { from: Math.max(stretch.from, index), until: stretch.until };
  }
}
