/** The call as the room shows it: whose pictures it has, what we send into it, and whether it is there. */

import { find } from '../lib/dom.js';
import { t } from '../lib/words.js';
import { Call } from './call.js';
import { viewOf } from './camera.js';
import { DeviceFields } from './devices.js';
import { screenOf } from './stage.js';

export class Video {
  #state;
  #join;
  #call;
  #speaker = '';

  /**
   * @param {import('./state.js').State} state
   * @param {import('./actions.js').Actions} actions
   * @param {() => Promise<import('../types').Ticket | import('../types').Waiting>} join asks for a fresh token
   */
  constructor(state, actions, join) {
    this.#state = state;
    this.#join = join;
    this.#call = this.#newCall();
    actions.on('share', () => void this.#share());
    actions.on('stop-sharing', () => void this.#call.share(false));
    actions.on('retry-call', () => void this.#call.retry());
    actions.on('start-sound', () => void this.#call.startSound());
    state.when('joined', ({ video }) => {
      this.#offerSpeakers();
      this.#follow();
      void this.#call.connect(video);
    });
    state.when('left', () => this.#call.leave());
  }

  /** The call has what we have here, and nothing while we are elsewhere. */
  #follow() {
    const state = this.#state;
    const speak = () => void this.#call.setMicrophone(state.me.microphone.track, !state.me.microphone.isOn);
    const film = () => {
      const { person, camera } = state.me;
      this.#show(person.identity, 'camera', camera.track && viewOf(camera.track));
      void this.#call.setCamera(camera.track);
    };
    speak();
    film();
    state.follow(({ me }) => me.microphone, speak);
    state.follow(({ me }) => me.camera, film);
    state.follow(
      ({ isHere }) => isHere,
      (here) => (here ? void this.#call.resume() : this.#call.standBy()),
    );
  }

  /** Starts or stops to share our screen. */
  async #share() {
    try {
      await this.#call.share(!this.#call.isSharing);
    } catch (error) {
      // Who closes the browser's own dialog knows that nothing is shared.
      if (error instanceof DOMException && error.name === 'NotAllowedError') return;
      this.#state.toast(t('The screen can’t be shared in this browser.'));
    }
  }

  #newCall() {
    const truth = this.#state;
    return new Call(() => this.#askAgain(), find('[data-audio]'), {
      state: (state, reason) => truth.set('call', { state, reason }),
      people: (people) => truth.set('call', { people }),
      picture: (identity, picture, element) => this.#show(identity, picture, element),
      voices: (identities) => truth.set('call', { voices: new Set(identities) }),
      soundBlocked: (blocked) => this.#showBlocked(blocked),
      sharing: (sharing) => truth.set('call', { sharing }),
      silenced: () => truth.happen('muted'),
      restarted: (track) => truth.happen('restarted', track),
    });
  }

  async #askAgain() {
    const answer = await this.#join();
    return 'waiting' in answer ? null : answer.video;
  }

  /**
   * @param {string} identity
   * @param {import('./call.js').Picture} picture
   * @param {HTMLElement | null} element null when it is off
   */
  #show(identity, picture, element) {
    const key = picture === 'screen' ? screenOf(identity) : identity;
    const pictures = new Map(this.#state.call.pictures);
    if (element) pictures.set(key, element);
    else if (!pictures.delete(key)) return;
    this.#state.set('call', { pictures });
  }

  /** @param {boolean} blocked */
  #showBlocked(blocked) {
    /** @type {import('../types').Offer} */
    const offer = { label: t('Play sound'), act: 'start-sound' };
    this.#state.notice('sound', blocked ? { text: t('Your browser holds back the sound.'), offer } : null);
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
