/** Sound without a room: how loud a microphone is, and a tone for a speaker. */

const NOTES = [523.25, 659.25, 783.99];
const NOTE_S = 0.28;
// Some browsers wait for ever for a speaker that isn't there.
const BEGINS_WITHIN = 5_000;

/** Tells how loud a track is until it is stopped. */
export class Level {
  #context = new AudioContext();
  #timer;

  /**
   * @param {MediaStreamTrack} track
   * @param {(level: number) => void} tell 0 to 1, ten times a second
   */
  constructor(track, tell) {
    const analyser = this.#context.createAnalyser();
    analyser.fftSize = 2048;
    const samples = new Float32Array(analyser.fftSize);
    this.#context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
    void this.#context.resume();
    this.#timer = setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      tell(samples.reduce((most, one) => Math.max(most, Math.abs(one)), 0));
    }, 100);
  }

  stop() {
    clearInterval(this.#timer);
    void this.#context.close();
  }
}

/**
 * Plays three notes; call from a click.
 * @param {string} deviceId the speaker, '' for the browser's own choice
 * @returns {Promise<void>} once they were played; throws when the browser plays nothing
 */
export async function chime(deviceId) {
  const context = new AudioContext();
  const out = context.createMediaStreamDestination();
  const player = new Audio();
  try {
    await soon(context.resume());
    NOTES.forEach((frequency, place) => note(context, out, frequency, context.currentTime + 0.1 + place * NOTE_S));
    player.srcObject = out.stream;
    if (deviceId && 'setSinkId' in player) await soon(player.setSinkId(deviceId));
    await soon(player.play());
    await new Promise((resolve) => setTimeout(resolve, (NOTES.length + 1.5) * NOTE_S * 1000));
  } finally {
    player.srcObject = null;
    void context.close();
  }
}

/** @param {Promise<unknown>} beginning @returns {Promise<unknown>} the same; throws when it takes too long */
function soon(beginning) {
  const late = new Promise((_, reject) => setTimeout(() => reject(new Error('no sound begins')), BEGINS_WITHIN));
  return Promise.race([beginning, late]);
}

/**
 * @param {AudioContext} context
 * @param {AudioNode} out
 * @param {number} frequency in hertz
 * @param {number} at in seconds of the context
 */
function note(context, out, frequency, at) {
  const tone = new OscillatorNode(context, { frequency });
  const loudness = new GainNode(context, { gain: 0 });
  loudness.gain.setTargetAtTime(0.3, at, 0.01);
  loudness.gain.setTargetAtTime(0, at + NOTE_S * 0.6, 0.08);
  tone.connect(loudness).connect(out);
  tone.start(at);
  tone.stop(at + 2 * NOTE_S);
}
