/** The call as the room shows it: whose pictures it has, what we send into it, and whether it is there. */

import { find } from '../lib/dom.js';
import { t } from '../lib/words.js';
import { Call } from './call.js';
import { DeviceFields } from './devices.js';

/**
 * @typedef {object} VideoParts
 * @property {() => Promise<import('../types').Ticket | import('../types').Waiting>} join
 * @property {import('./equipment.js').Equipment} equipment
 * @property {import('./roster.js').Roster} roster
 * @property {import('./stage.js').Stage} stage
 * @property {import('./controls.js').Controls} controls
 * @property {import('./notices.js').Notices} notices
 * @property {import('./outages.js').Outages} outages
 */

export class Video {
  #join;
  #equipment;
  #roster;
  #stage;
  #controls;
  #notices;
  #outages;
  #call;
  #live = false;
  #speaker = '';

  /** @param {VideoParts} parts */
  constructor({ join, equipment, roster, stage, controls, notices, outages }) {
    this.#join = join;
    this.#equipment = equipment;
    this.#roster = roster;
    this.#stage = stage;
    this.#controls = controls;
    this.#notices = notices;
    this.#outages = outages;
    this.#call = this.#newCall();
    this.#offerSpeakers();
  }

  /** @param {import('../types').Pass | null} pass null when this server has no call */
  async connect(pass) {
    await this.#call.connect(pass);
  }

  get isLive() {
    return this.#live;
  }

  leave() {
    this.#call.leave();
  }

  /** @param {boolean} active whether this page has the call, or another one of ours */
  active(active) {
    if (active) void this.#call.resume();
    else this.#call.standBy();
  }

  /** Our microphone was turned on or off, or has another track. */
  microphone() {
    const { track, isOn } = this.#equipment.microphone;
    void this.#call.setMicrophone(track, !isOn);
  }

  /** Our camera likewise. */
  camera() {
    const { camera } = this.#equipment;
    this.#controls.camera(camera.isOn);
    this.#showPossible();
    this.#stage.picture(this.#roster.me.identity, 'camera', camera.view());
    void this.#call.setCamera(camera.track);
  }

  /** Starts or stops to share our screen. */
  async share() {
    try {
      await this.#call.share(!this.#call.isSharing);
    } catch (error) {
      // Who closes the browser's own dialog knows that nothing is shared.
      if (error instanceof DOMException && error.name === 'NotAllowedError') return;
      this.#notices.toast(t('The screen can’t be shared in this browser.'));
    }
  }

  async stopSharing() {
    await this.#call.share(false);
  }

  #newCall() {
    return new Call(() => this.#askAgain(), find('[data-audio]'), {
      state: (state, reason) => this.#showState(state, reason),
      people: (people) => this.#roster.call(people),
      picture: (identity, picture, element) => this.#stage.picture(identity, picture, element),
      voices: (identities) => this.#roster.voices(identities),
      soundBlocked: (blocked) => this.#showBlocked(blocked),
      sharing: (on) => this.#controls.sharing(on),
      silenced: () => this.#equipment.silenced(),
      restarted: (track) => void this.#equipment.microphone.adopt(track),
    });
  }

  async #askAgain() {
    const answer = await this.#join();
    return 'waiting' in answer ? null : answer.video;
  }

  /**
   * @param {import('./call.js').CallState} state
   * @param {string | null} reason
   */
  #showState(state, reason) {
    this.#live = state === 'live';
    this.#showPossible();
    this.#outages.call(state, reason, () => void this.#call.retry());
  }

  /** A camera that is on can always be turned off. */
  #showPossible() {
    this.#controls.possible(this.#live || this.#equipment.camera.isOn, this.#live);
  }

  /** @param {boolean} blocked */
  #showBlocked(blocked) {
    const act = () => void this.#call.startSound();
    this.#notices.set('sound', blocked ? t('Your browser holds back the sound.') : null, { label: t('Play sound'), act });
  }

  #offerSpeakers() {
    if (!('setSinkId' in HTMLMediaElement.prototype)) {
      find('[data-speaker-field]').hidden = true;
      return;
    }
    const choose = (/** @type {string} */ id) => this.#call.setSpeaker((this.#speaker = id));
    const name = (/** @type {number} */ number) => t('Speaker {number}', { number });
    void new DeviceFields({ kind: 'audiooutput', name, current: () => this.#speaker, choose }, () => {}).list();
  }
}
