/** Our own microphone and camera: turned on and off, chosen, and in words what is wrong with them. */

import { t } from '../lib/words.js';
import { Camera } from './camera.js';
import { DeviceFields } from './devices.js';
import { Microphone } from './microphone.js';
import { remedyFor } from './remedies.js';

/** @typedef {import('./remedies.js').Device} Device */

/**
 * @typedef {object} EquipmentEvents
 * @property {(frame: import('../types').Frame) => void} frame while the microphone is on
 * @property {(level: number) => void} level of the microphone, 0 to 1
 * @property {() => void} microphone it was turned on or off, or has another track
 * @property {() => void} camera likewise
 * @property {(text: string | null) => void} hint what is wrong with either, null when nothing is any more
 */

/** Nothing here throws: who uses it looks at what is on. */
export class Equipment {
  #notices;
  #settings;
  #events;
  #microphoneFields;
  #cameraFields;

  /**
   * @param {import('./notices.js').Notices} notices
   * @param {import('./settings.js').Settings} settings where another device is chosen
   * @param {EquipmentEvents} events
   */
  constructor(notices, settings, events) {
    this.#notices = notices;
    this.#settings = settings;
    this.#events = events;
    this.microphone = this.#newMicrophone();
    this.camera = new Camera({
      track: () => events.camera(),
      gone: (error) => this.#explain(error, 'camera'),
    });
    this.#microphoneFields = this.#fields('audioinput', (number) => t('Microphone {number}', { number }), 'microphone');
    this.#cameraFields = this.#fields('videoinput', (number) => t('Camera {number}', { number }), 'camera');
    void this.#microphoneFields.list();
    void this.#cameraFields.list();
  }

  /**
   * @param {boolean} on
   * @returns {Promise<boolean>} whether it is on now
   */
  async turnMicrophone(on) {
    if (on) await this.#openMicrophone();
    else this.#mute();
    return this.microphone.isOn;
  }

  /**
   * @param {boolean} on
   * @returns {Promise<boolean>} whether it is on now
   */
  async turnCamera(on) {
    if (on) await this.#openCamera();
    else this.camera.stop();
    return this.camera.isOn;
  }

  /**
   * Opens what is wished for and lets the rest go.
   * @param {{ microphone: boolean, camera: boolean }} wish
   */
  async prepare({ microphone, camera }) {
    await Promise.all([microphone ? this.#openMicrophone() : this.microphone.stop(), camera ? this.#openCamera() : this.camera.stop()]);
  }

  /** A host muted us, or the server did: captions stop with the voice, and what still opens stays off. */
  silenced() {
    if (!this.microphone.isMeant) return;
    this.#mute();
    this.#notices.toast(t('A host muted your microphone. You can turn it on again when it is your turn.'));
  }

  /** Another page of ours has them now: lets both devices go, and says nothing more about them. */
  standBy() {
    this.stop();
    this.#events.microphone();
    this.#events.camera();
    for (const topic of /** @type {const} */ (['silent', 'microphone', 'camera'])) this.#say(topic, null);
  }

  /** Lets both devices go. */
  stop() {
    this.microphone.stop();
    this.camera.stop();
  }

  #newMicrophone() {
    return new Microphone({
      frame: this.#events.frame,
      level: (level) => {
        this.#settings.level(level);
        this.#events.level(level);
      },
      silent: (silent) => this.#saySilent(silent),
      track: () => this.#events.microphone(),
      gone: (error) => {
        this.#events.microphone();
        this.#explain(error, 'microphone');
      },
    });
  }

  /** @param {boolean} silent */
  #saySilent(silent) {
    const text = silent ? t('Your microphone is silent. Is it switched off, or is another one meant?') : null;
    this.#say('silent', text, { label: t('Choose a microphone'), act: () => this.#settings.open() });
  }

  /**
   * @param {MediaDeviceKind} kind
   * @param {(number: number) => string} name
   * @param {Device} device
   */
  #fields(kind, name, device) {
    const choose = (/** @type {string} */ id) => this[device].choose(id);
    return new DeviceFields({ kind, name, current: () => this[device].deviceId, choose }, (error) => this.#explain(error, device));
  }

  #mute() {
    this.microphone.setOn(false);
    this.#events.microphone();
  }

  async #openMicrophone() {
    try {
      if (this.microphone.track) this.microphone.setOn(true);
      else await this.microphone.start();
      this.#say('microphone', null);
      void this.#microphoneFields.list();
    } catch (error) {
      this.#explain(error, 'microphone');
    }
    this.#events.microphone();
  }

  async #openCamera() {
    try {
      await this.camera.start();
      this.#say('camera', null);
      void this.#cameraFields.list();
    } catch (error) {
      this.#explain(error, 'camera');
    }
  }

  /**
   * @param {unknown} error
   * @param {Device} device
   */
  #explain(error, device) {
    const { says, remedy } = remedyFor(error, device);
    const act = () => void (device === 'microphone' ? this.#openMicrophone() : this.#openCamera());
    this.#say(device, `${says} ${remedy}`, { label: t('Try again'), act });
  }

  /**
   * @param {Device | 'silent'} topic
   * @param {string | null} text null when it is over
   * @param {import('./notices.js').Action} [action]
   */
  #say(topic, text, action) {
    this.#events.hint(text);
    this.#notices.set(topic, text, action);
  }
}
