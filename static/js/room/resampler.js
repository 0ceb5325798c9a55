/** Band-limited resampling to a lower (or higher) rate, sample by sample across blocks. */

const ZERO_CROSSINGS = 16;
const PHASES = 256;
// Share of the target's band that passes; the rest is the filter's slope.
const PASS = 0.92;

/**
 * One row of filter weights per fractional position, each summing to 1. The last is the first, a sample further.
 * @param {number} cutoff in cycles per input sample
 * @param {number} half taps on either side
 */
function filterBank(cutoff, half) {
  const bank = [];
  for (let phase = 0; phase <= PHASES; phase++) {
    const row = new Float32Array(2 * half);
    for (let tap = 0; tap < 2 * half; tap++) row[tap] = weight(tap - half + 1 - phase / PHASES, cutoff, half);
    const sum = row.reduce((total, value) => total + value, 0);
    bank.push(row.map((value) => value / sum));
  }
  return bank;
}

/**
 * A sinc under a Blackman window.
 * @param {number} distance
 * @param {number} cutoff
 * @param {number} half
 */
function weight(distance, cutoff, half) {
  if (Math.abs(distance) >= half) return 0;
  const angle = 2 * Math.PI * cutoff * distance;
  const turn = (Math.PI * distance) / half;
  const window = 0.42 + 0.5 * Math.cos(turn) + 0.08 * Math.cos(2 * turn);
  return window * (angle === 0 ? 1 : Math.sin(angle) / angle);
}

/** Turns blocks at one rate into samples at another. */
export class Resampler {
  #step;
  #half;
  #bank;
  /** @type {Float32Array} */
  #input;
  #position = 0;

  /**
   * @param {number} from samples per second coming in
   * @param {number} to samples per second going out
   */
  constructor(from, to) {
    this.#step = from / to;
    const cutoff = 0.5 * PASS * Math.min(1, to / from);
    this.#half = Math.ceil(ZERO_CROSSINGS / (2 * cutoff));
    this.#bank = filterBank(cutoff, this.#half);
    // Silence before the first sample, so that the first output already has a full filter.
    this.#input = new Float32Array(this.#half - 1);
  }

  /**
   * @param {Float32Array} block
   * @param {(sample: number) => void} emit
   */
  push(block, emit) {
    const input = new Float32Array(this.#input.length + block.length);
    input.set(this.#input);
    input.set(block, this.#input.length);
    const taps = 2 * this.#half;
    while (Math.floor(this.#position) + taps <= input.length) {
      emit(this.#at(input, Math.floor(this.#position)));
      this.#position += this.#step;
    }
    const used = Math.min(Math.floor(this.#position), input.length);
    this.#position -= used;
    this.#input = input.slice(used);
  }

  /**
   * @param {Float32Array} input
   * @param {number} start
   */
  #at(input, start) {
    const row = this.#bank[Math.round((this.#position - start) * PHASES)];
    let sum = 0;
    for (let tap = 0; tap < row.length; tap++) sum += row[tap] * input[start + tap];
    return sum;
  }
}
