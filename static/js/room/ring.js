/**
 * What was said and isn't stored as text yet, for as long as the server may want it (again).
 *
 * Not compressed: ten minutes are 19 MB, which a page with a call in it doesn't notice, and nearly always it is a few
 * seconds. Of real speech deflate saves 28 % (of its differences 37 %), a Rice code 55 %: 10 MB, once in a long outage.
 */

/** @typedef {{ from: number, until: number }} Stretch samples, the last one not included */
/** @typedef {{ index: number, end: number, bytes: Uint8Array }} Piece of PCM16, from one sample to another */

const WIDTH = 2; // bytes of a sample
// Memory is taken and given back by the second, in one piece each.
const BLOCK = 16_000; // samples
// The longest and the shortest message of audio that the server takes: 100 and 20 ms.
const LONGEST = 1_600;
const SHORTEST = 320;
// Stretches of what was lost are remembered, so that the server can be told what it will never get. It takes 60 a minute.
const STRETCHES = 50;
// Samples: audio that was lost around so short a pause is one stretch.
const PAUSE = 2 * 16_000;

export class AudioRing {
  /** @type {Piece[]} in order; the last one may have room for more */
  #blocks = [];
  /** @type {Stretch[]} */
  #lost = [];
  // Samples kept in all.
  #size = 0;
  // Everything before this sample is text.
  #settled = 0;
  #most;

  /** @param {number} most samples to keep */
  constructor(most) {
    this.#most = most;
  }

  /** Samples that are kept. */
  get size() {
    return this.#size;
  }

  /**
   * Keeps a frame, which comes after all before it. What there is no room for is lost, the oldest first.
   * @param {number} index of the first sample
   * @param {Uint8Array} bytes PCM16, 20 ms or more
   */
  keep(index, bytes) {
    const samples = bytes.length / WIDTH;
    const block = this.#blockFor(index, samples);
    block.bytes.set(bytes, (index - block.index) * WIDTH);
    block.end += samples;
    this.#size += samples;
    while (this.#size > this.#most) this.#lose();
  }

  /**
   * Lets go what is text.
   * @param {number} index the sample up to which that is so
   */
  settle(index) {
    this.#settled = index;
    while (this.#blocks.length && this.#blocks[0].end <= index) this.#drop();
    this.#lost = this.#lost.filter(({ until }) => until > index);
  }

  /**
   * Lets go what nobody may hear, of which nothing is lost: what was said in a pause, before we knew of it.
   * @param {number} from
   * @param {number} until the last sample not included
   */
  forget(from, until) {
    this.#blocks = this.#blocks.flatMap((block) => outside(block, from, until));
    this.#size = this.#blocks.reduce((sum, { index, end }) => sum + end - index, 0);
    this.#lost = this.#lost
      .flatMap((lost) => [{ ...lost, until: Math.min(lost.until, from) }, { ...lost, from: Math.max(lost.from, until) }])
      .filter((lost) => lost.from < lost.until);
  }

  /**
   * @param {number} index
   * @returns {Piece | undefined} the next audio to send to who wants it from `index` on: 20 to 100 ms, and it may begin before
   */
  next(index) {
    const block = this.#blocks[this.#place(index)];
    if (!block) return;
    const begin = Math.max(block.index, Math.min(index, block.end - SHORTEST));
    const end = Math.min(block.end, begin + LONGEST);
    return { index: begin, end, bytes: block.bytes.subarray((begin - block.index) * WIDTH, (end - block.index) * WIDTH) };
  }

  /**
   * @param {number} index
   * @returns {number} samples kept from there on
   */
  after(index) {
    let samples = 0;
    for (const block of this.#blocks.slice(this.#place(index))) samples += block.end - Math.max(block.index, index);
    return samples;
  }

  /**
   * @param {number} index
   * @returns {Stretch | undefined} the first audio from `index` on that was let go before it was text; a microphone that was off isn't lost
   */
  lostFrom(index) {
    const stretch = this.#lost.find(({ until }) => until > index);
    return stretch && { from: Math.max(stretch.from, index), until: stretch.until };
  }

  /**
   * @param {number} index
   * @param {number} samples
   */
  #blockFor(index, samples) {
    const last = this.#blocks.at(-1);
    if (last?.end === index && (index + samples - last.index) * WIDTH <= last.bytes.length) return last;
    // Nothing is added to the last one any more: if a pause ended it, the rest of its memory is given back.
    if (last && (last.end - last.index) * WIDTH < last.bytes.length) last.bytes = last.bytes.slice(0, (last.end - last.index) * WIDTH);
    const block = { index, end: index, bytes: new Uint8Array(BLOCK * WIDTH) };
    this.#blocks.push(block);
    return block;
  }

  /** @param {number} index @returns {number} the place of the first block that has audio from there on */
  #place(index) {
    let place = 0;
    for (let after = this.#blocks.length; place < after; ) {
      const middle = (place + after) >> 1;
      if (this.#blocks[middle].end > index) after = middle;
      else place = middle + 1;
    }
    return place;
  }

  #drop() {
    const { index, end } = /** @type {Piece} */ (this.#blocks.shift());
    this.#size -= end - index;
    return { index, end };
  }

  #lose() {
    const { index, end } = this.#drop();
    const last = this.#lost.at(-1);
    if (last && index - last.until <= PAUSE) last.until = end;
    else this.#lost.push({ from: Math.max(index, this.#settled), until: end });
    // Rather too long a gap than one that nobody is told of.
    if (this.#lost.length > STRETCHES) this.#lost[1].from = /** @type {Stretch} */ (this.#lost.shift()).from;
  }
}

/**
 * @param {Piece} block
 * @param {number} from
 * @param {number} until
 * @returns {Piece[]} what is left of it; what is too short to be sent goes along
 */
function outside(block, from, until) {
  if (block.end <= from || block.index >= until) return [block];
  return [[block.index, from], [until, block.end]]
    .filter(([index, end]) => end - index >= SHORTEST)
    .map(([index, end]) => ({ index, end, bytes: block.bytes.slice((index - block.index) * WIDTH, (end - block.index) * WIDTH) }));
}
