/** Microphone, camera and speaker, each tried by a click of its own: nothing is asked for before that. */

import { find } from '../lib/dom.js';
import { t } from '../lib/words.js';
import { viewOf } from '../room/camera.js';
import { DeviceFields } from '../room/devices.js';
import { Opener } from '../room/opener.js';
import { remedyFor } from '../room/remedies.js';
import { lineOf, show } from './lines.js';
import { chime, Level } from './sound.js';

/** @typedef {import('../types').DeviceResult} DeviceResult */
/** @typedef {'microphone' | 'camera' | 'speaker'} Name */
/** @typedef {(name: Name, result: DeviceResult) => void} Tell */

const HEARD = 0.04;
const SAY_WITHIN = 8_000;
const PICTURE_WITHIN = 6_000;
// Nobody forgets an open microphone here.
const OPEN_FOR = 60_000;
/** @type {Record<string, DeviceResult>} by the error's name */
const RESULTS = {
  InsecureOrigin: 'blocked',
  NotAllowedError: 'blocked',
  SecurityError: 'blocked',
  NotFoundError: 'missing',
  OverconstrainedError: 'missing',
  NotReadableError: 'busy',
};

/** A device that is opened, watched and let go. */
class Watched {
  /** @type {MediaStreamTrack | null} */
  track = null;
  #name;
  #opener;
  #tell;
  #button;
  /** @type {ReturnType<typeof setTimeout>[]} */
  #timers = [];

  /**
   * @param {'microphone' | 'camera'} name
   * @param {(chosen: MediaTrackConstraints | null) => MediaStreamConstraints} constraints
   * @param {Tell} tell
   */
  constructor(name, constraints, tell) {
    this.#name = name;
    this.#opener = new Opener(name, constraints);
    this.#tell = tell;
    const line = lineOf(name);
    this.#button = find('[data-try]', line);
    this.#button.addEventListener('click', () => (this.track ? this.stop() : void this.start()));
    const kind = name === 'microphone' ? 'audioinput' : 'videoinput';
    const called = (/** @type {number} */ number) => (name === 'microphone' ? t('Microphone {number}', { number }) : t('Camera {number}', { number }));
    const current = () => this.track?.getSettings().deviceId ?? '';
    this.fields = new DeviceFields({ kind, name: called, current, choose: (id) => this.#choose(id) }, (error) => this.#failed(error));
    addEventListener('pagehide', () => this.stop());
  }

  async start() {
    show(this.#name, 'running', t('Your browser may ask whether this page may use it.'));
    try {
      await this.#opener.start((track) => this.#take(track));
    } catch (error) {
      this.#failed(error);
    }
  }

  stop() {
    for (const timer of this.#timers.splice(0)) clearTimeout(timer);
    this.#opener.cancel();
    this.track?.stop();
    this.track = null;
    this.closed();
    this.#draw();
  }

  /** @param {MediaStreamTrack} _track */
  opened(_track) {}

  closed() {}

  /**
   * @param {() => void} act
   * @param {number} ms
   */
  after(act, ms) {
    this.#timers.push(setTimeout(act, ms));
  }

  /**
   * @param {DeviceResult} result
   * @param {string} words
   */
  found(result, words) {
    show(this.#name, result === 'ok' ? 'ok' : result === 'silent' ? 'warn' : 'failed', words);
    this.#tell(this.#name, result);
  }

  /** @param {string} id */
  async #choose(id) {
    await this.#opener.choose(id, (track) => this.#take(track));
  }

  /** @param {MediaStreamTrack} track */
  async #take(track) {
    this.stop();
    this.track = track;
    track.addEventListener('ended', () => track === this.track && this.#failed(new DOMException('it went away', 'NotFoundError')));
    this.#draw();
    find('[data-choice]', lineOf(this.#name)).hidden = false;
    this.after(() => this.stop(), OPEN_FOR);
    this.opened(track);
    await this.fields.list();
  }

  /** @param {unknown} error */
  #failed(error) {
    this.stop();
    const { says, remedy } = remedyFor(error, this.#name);
    const name = error instanceof Error || error instanceof DOMException ? error.name : '';
    // The advice to that names a dialog of the room.
    this.found(RESULTS[name] ?? 'failed', name === 'OverconstrainedError' ? says : `${says} ${remedy}`);
  }

  #draw() {
    const on = this.track !== null;
    find('[data-try-text]', this.#button).textContent = on ? t('Stop') : t('Try again');
    find('[data-live]', lineOf(this.#name)).hidden = !on;
  }
}

export class MicrophoneTest extends Watched {
  #meter = /** @type {HTMLMeterElement} */ (find('[data-meter]'));
  /** @type {Level | null} */
  #level = null;
  #heard = false;

  /** @param {Tell} tell */
  constructor(tell) {
    super('microphone', (chosen) => ({ audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true, ...chosen } }), tell);
  }

  /** @override @param {MediaStreamTrack} track */
  opened(track) {
    show('microphone', 'running', t('Say something: the bar should move.'));
    this.#heard = false;
    this.#level = new Level(track, (level) => {
      this.#meter.value = level;
      if (level < HEARD || this.#heard) return;
      this.#heard = true;
      this.found('ok', t('Works: we hear “{name}”.', { name: track.label || t('Microphone') }));
    });
    this.after(() => this.#heard || this.found('silent', t('Nothing is heard. Is it switched off, or is another one meant?')), SAY_WITHIN);
  }

  /** @override */
  closed() {
    this.#level?.stop();
    this.#level = null;
    this.#meter.value = 0;
  }
}

export class CameraTest extends Watched {
  #box = find('[data-picture]');

  /** @param {Tell} tell */
  constructor(tell) {
    super('camera', (chosen) => ({ video: { width: { ideal: 1280 }, height: { ideal: 720 }, ...(chosen ?? { facingMode: 'user' }) } }), tell);
  }

  /** @override @param {MediaStreamTrack} track */
  opened(track) {
    show('camera', 'running', t('Waiting for a picture…'));
    const view = viewOf(track);
    let shown = false;
    view.addEventListener('timeupdate', () => {
      if (shown || !view.videoWidth) return;
      shown = true;
      const values = { name: track.label || t('Camera'), width: view.videoWidth, height: view.videoHeight };
      this.found('ok', t('Works: “{name}”, {width} × {height}.', values));
    });
    this.#box.replaceChildren(view);
    this.after(() => shown || this.found('silent', t('No picture comes. Is another program using it?')), PICTURE_WITHIN);
  }

  /** @override */
  closed() {
    this.#box.replaceChildren();
  }
}

export class SpeakerTest {
  #speaker = '';
  #question = find('[data-question]');
  #button = find('[data-try]', lineOf('speaker'));
  #tell;

  /** @param {Tell} tell */
  constructor(tell) {
    this.#tell = tell;
    this.#button.addEventListener('click', () => void this.#play());
    find('[data-heard="yes"]').addEventListener('click', () => this.#answer(true));
    find('[data-heard="no"]').addEventListener('click', () => this.#answer(false));
    if (!('setSinkId' in HTMLMediaElement.prototype)) return;
    const choose = async (/** @type {string} */ id) => void (this.#speaker = id);
    const name = (/** @type {number} */ number) => t('Speaker {number}', { number });
    this.fields = new DeviceFields({ kind: 'audiooutput', name, current: () => this.#speaker, choose }, () => {});
  }

  async #play() {
    show('speaker', 'running', t('Three notes, one higher than the other…'));
    this.#question.hidden = true;
    try {
      await chime(this.#speaker);
      show('speaker', 'running', t('Did you hear three notes?'));
      this.#question.hidden = false;
      find('[data-choice]', lineOf('speaker')).hidden = !this.fields;
      find('[data-heard="yes"]').focus();
      await this.fields?.list();
    } catch {
      this.#found('failed', t('The browser played no sound.'));
    }
  }

  /** @param {boolean} heard */
  #answer(heard) {
    this.#question.hidden = true;
    this.#button.focus();
    if (heard) this.#found('ok', t('Works.'));
    else this.#found('unheard', t('You heard nothing. Turn the volume up, or choose another speaker.'));
  }

  /**
   * @param {DeviceResult} result
   * @param {string} words
   */
  #found(result, words) {
    find('[data-try-text]', this.#button).textContent = t('Play again');
    show('speaker', result === 'ok' ? 'ok' : 'failed', words);
    this.#tell('speaker', result);
  }
}
