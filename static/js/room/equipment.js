/** Our own microphone and camera: turned on and off, chosen, and in words what is wrong with them. */

import { t } from '../lib/words.js';
import { Camera } from './camera.js';
import { DeviceFields } from './devices.js';
import { Microphone } from './microphone.js';
import { remedyFor } from './remedies.js';

/** @typedef {import('./remedies.js').Device} Device */

/** Nothing here throws: who uses it looks at what is on. */
export class Equipment {
  #state;
  #microphone;
  #camera;
  #microphoneFields;
  #cameraFields;

  /**
   * @param {import('./state.js').State} state
   * @param {import('./actions.js').Actions} actions
   */
  constructor(state, actions) {
    this.#state = state;
    this.#microphone = this.#newMicrophone();
    this.#camera = new Camera({
      track: () => this.#tell(),
      gone: (error) => this.#explain(error, 'camera'),
    });
    actions.on('microphone', ({ on = !this.#microphone.isOn } = {}) => this.#turnMicrophone(on));
    actions.on('camera', ({ on = !this.#camera.isOn } = {}) => this.#turnCamera(on));
    actions.on('open-microphone', () => this.#turnMicrophone(true));
    actions.on('open-camera', () => this.#turnCamera(true));
    state.when('muted', () => this.#silenced());
    state.when('restarted', (track) => void this.#microphone.adopt(track));
    state.when('left', () => this.stop());
    state.follow(
      ({ isHere }) => isHere,
      (here) => here || this.#standBy(),
    );
    state.follow(
      ({ isTranscribed }) => isTranscribed,
      (transcribed) => this.#microphone.withhold(!transcribed),
    );
    this.#microphoneFields = this.#fields('audioinput', (number) => t('Microphone {number}', { number }), 'microphone');
    this.#cameraFields = this.#fields('videoinput', (number) => t('Camera {number}', { number }), 'camera');
    void this.#microphoneFields.list();
    void this.#cameraFields.list();
  }

  /**
   * @param {boolean} on
   * @returns {Promise<boolean>} whether it is on now
   */
  async #turnMicrophone(on) {
    if (on) await this.#openMicrophone();
    else this.#mute();
    return this.#microphone.isOn;
  }

  /**
   * @param {boolean} on
   * @returns {Promise<boolean>} whether it is on now
   */
  async #turnCamera(on) {
    if (on) await this.#openCamera();
    else this.#camera.stop();
    return this.#camera.isOn;
  }

  /**
   * Opens what is wished for and lets the rest go.
   * @param {{ microphone: boolean, camera: boolean }} wish
   */
  async prepare({ microphone, camera }) {
    await Promise.all([microphone ? this.#openMicrophone() : this.#microphone.stop(), camera ? this.#openCamera() : this.#camera.stop()]);
    this.#tell();
  }

  /** A host muted us, or the server did: captions stop with the voice, and what still opens stays off. */
  #silenced() {
    if (!this.#microphone.isMeant) return;
    this.#mute();
    this.#state.toast(t('A host muted your microphone. You can turn it on again when it is your turn.'));
  }

  /** Another page of ours has them now: lets both devices go, and says nothing more about them. */
  #standBy() {
    this.stop();
    for (const topic of /** @type {const} */ (['silent', 'microphone', 'camera'])) this.#state.notice(topic, null);
  }

  /** Lets both devices go. */
  stop() {
    this.#microphone.stop();
    this.#camera.stop();
    this.#tell();
  }

  /** What is on, and with which track. */
  #tell() {
    const { me } = this.#state;
    for (const [name, { isOn, track }] of /** @type {const} */ ([['microphone', this.#microphone], ['camera', this.#camera]])) {
      if (me[name].isOn !== isOn || me[name].track !== track) this.#state.set('me', { [name]: { isOn, track } });
    }
  }

  #newMicrophone() {
    return new Microphone({
      frame: (frame) => this.#state.happen('frame', frame),
      level: (level) => this.#state.happen('level', level),
      silent: (silent) => this.#saySilent(silent),
      track: () => this.#tell(),
      gone: (error) => {
        this.#tell();
        this.#explain(error, 'microphone');
      },
    });
  }

  /** @param {boolean} silent */
  #saySilent(silent) {
    const text = t('Your microphone is silent. Is it switched off, or is another one meant?');
    this.#state.notice('silent', silent ? { text, offer: { label: t('Choose a microphone'), act: 'settings' } } : null);
  }

  /**
   * @param {MediaDeviceKind} kind
   * @param {(number: number) => string} name
   * @param {Device} device
   */
  #fields(kind, name, device) {
    const own = device === 'microphone' ? this.#microphone : this.#camera;
    const choose = (/** @type {string} */ id) => own.choose(id);
    return new DeviceFields({ kind, name, current: () => own.deviceId, choose }, (error) => this.#explain(error, device));
  }

  #mute() {
    this.#microphone.setOn(false);
    this.#tell();
  }

  async #openMicrophone() {
    try {
      if (this.#microphone.track) this.#microphone.setOn(true);
      else await this.#microphone.start();
      this.#state.notice('microphone', null);
      void this.#microphoneFields.list();
    } catch (error) {
      this.#explain(error, 'microphone');
    }
    this.#tell();
  }

  async #openCamera() {
    try {
      await this.#camera.start();
      this.#state.notice('camera', null);
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
    this.#state.notice(device, { text: `${says} ${remedy}`, offer: { label: t('Try again'), act: `open-${device}` } });
  }
}
