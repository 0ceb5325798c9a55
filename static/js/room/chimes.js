/** Short tones for who looks elsewhere: two alike for a knock, up for a join, down for a leave. Made here, no files. */

import { find } from '../lib/dom.js';
import { keep, recall } from '../lib/kept.js';

const CHOICE = 'sounds';
const LOUDNESS = 0.08; // of full scale: to be noticed beside a voice, not to cover it
const LENGTH = 0.18; // seconds of a note

export class Chimes {
  #choice = /** @type {HTMLInputElement} */ (find('[data-sounds]'));
  /** @type {AudioContext | null} made with the first tone, asleep between two of them */
  #audio = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #asleep;

  constructor() {
    this.#choice.checked = recall(CHOICE) !== 'off';
    this.#choice.addEventListener('change', () => {
      keep(CHOICE, this.#choice.checked ? 'on' : 'off');
      this.join(); // to hear what was chosen
    });
  }

  knock() {
    void this.#play([587, 587]);
  }

  join() {
    void this.#play([523, 784]);
  }

  leave() {
    void this.#play([523, 392]);
  }

  /** @param {number[]} notes in hertz, one after the other */
  async #play(notes) {
    if (!this.#choice.checked) return;
    try {
      this.#audio ??= new AudioContext();
      const audio = this.#audio;
      clearTimeout(this.#asleep);
      await audio.resume();
      notes.forEach((pitch, place) => note(audio, pitch, audio.currentTime + place * LENGTH));
      this.#asleep = setTimeout(() => void audio.suspend(), (notes.length + 1) * LENGTH * 1000);
    } catch {
      // No sound here: the words on the page say the same.
    }
  }
}

/**
 * @param {AudioContext} audio
 * @param {number} pitch
 * @param {number} at seconds of the context's clock
 */
function note(audio, pitch, at) {
  const tone = new OscillatorNode(audio, { frequency: pitch });
  const loudness = new GainNode(audio, { gain: 0 });
  // Swelling and fading, as a tone that begins at once clicks.
  loudness.gain.setValueAtTime(0, at);
  loudness.gain.linearRampToValueAtTime(LOUDNESS, at + 0.02);
  loudness.gain.exponentialRampToValueAtTime(0.0001, at + LENGTH);
  tone.connect(loudness).connect(audio.destination);
  tone.start(at);
  tone.stop(at + LENGTH);
}
