/** The call: livekit-client's room, reduced to what this page shows. */

import { t } from '../lib/words.js';
import { connectReason, describe, kindOf, matchTrack, pictureOf } from './tracks.js';

const RETRY_AFTER = 10_000;
const SHARING = {
  audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
  contentHint: 'detail',
  selfBrowserSurface: 'include',
  surfaceSwitching: 'include',
  systemAudio: 'include',
};

/** @typedef {import('../types').Pass} Pass */
/** @typedef {import('../types').CallPerson} CallPerson */
/** @typedef {import('../types').CallState} CallState */
/** @typedef {import('./tracks.js').Picture} Picture */

/**
 * @typedef {object} CallEvents
 * @property {(state: CallState, reason: string | null) => void} state
 * @property {(people: CallPerson[] | null) => void} people who is in the call; null without one
 * @property {(identity: string, picture: Picture, element: HTMLElement | null) => void} picture of others, and every shared screen
 * @property {(identities: string[]) => void} voices
 * @property {(blocked: boolean) => void} soundBlocked the browser wants a click before it plays sound
 * @property {(on: boolean) => void} sharing our own screen
 * @property {() => void} silenced the server muted our microphone
 * @property {(track: MediaStreamTrack) => void} restarted the call replaced the microphone's track
 */

/** One call at a time. Microphone and camera are given to it; it never opens one of its own. */
export class Call {
  #events;
  #audioBox;
  #ask;
  /** @type {any} */
  #room = null;
  /** @type {MediaStreamTrack | null} */
  #microphone = null;
  /** @type {MediaStreamTrack | null} */
  #camera = null;
  #muted = true;
  #muting = false;
  #speaker = '';
  #joined = false;
  #leaving = false;
  // Another page of ours has the call.
  #aside = false;
  #matching = false;
  #matchAgain = false;
  /** @type {WeakSet<object>} */
  #watched = new WeakSet();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {() => Promise<Pass | null>} ask for a fresh address and token
   * @param {HTMLElement} audioBox where the others' sound is attached
   * @param {CallEvents} events
   */
  constructor(ask, audioBox, events) {
    this.#ask = ask;
    this.#audioBox = audioBox;
    this.#events = events;
  }

  get isLive() {
    return this.#room?.state === 'connected';
  }

  get isSharing() {
    return Boolean(this.#room?.localParticipant.isScreenShareEnabled);
  }

  /** @param {Pass | null} pass null when this server has no call, which is no failure: nothing is tried again */
  async connect(pass) {
    if (!pass) return this.#events.state('off', null);
    if (typeof LivekitClient === 'undefined') return this.#events.state('off', t('its program did not load'));
    this.#events.state('connecting', null);
    const room = this.#newRoom();
    this.#room = room;
    try {
      await room.connect(pass.url, pass.token);
      if (room !== this.#room) return void room.disconnect(false);
      this.#joined = true;
    } catch (error) {
      if (room === this.#room) this.#off(connectReason(error));
      return;
    }
    if (this.#speaker) await this.setSpeaker(this.#speaker);
    this.#events.state('live', null);
    this.#tellPeople();
    await this.#match();
  }

  /** Asks for a fresh token and connects again. */
  async retry() {
    clearTimeout(this.#timer);
    if (this.#leaving || this.#aside || this.#room) return;
    try {
      const pass = await this.#ask();
      if (!this.#aside && !this.#room) await this.connect(pass);
    } catch {
      this.#off(t('the server can’t be reached'));
    }
  }

  /** Leaves it to another page of ours, until `resume`. */
  standBy() {
    this.#aside = true;
    clearTimeout(this.#timer);
    const room = this.#room;
    this.#clear();
    this.#events.state('aside', null);
    void room?.disconnect(false);
  }

  /** Comes back after `standBy`, with a fresh token. */
  async resume() {
    if (!this.#aside) return;
    this.#aside = false;
    await this.retry();
  }

  leave() {
    this.#leaving = true;
    clearTimeout(this.#timer);
    void this.#room?.disconnect(false);
  }

  /**
   * @param {MediaStreamTrack | null} track the page's one microphone
   * @param {boolean} muted
   */
  setMicrophone(track, muted) {
    this.#microphone = track;
    this.#muted = muted;
    return this.#match();
  }

  /** @param {MediaStreamTrack | null} track null while the camera is off */
  setCamera(track) {
    this.#camera = track;
    return this.#match();
  }

  /** @param {boolean} on throws what the browser says when nothing can be shared */
  async share(on) {
    await this.#room?.localParticipant.setScreenShareEnabled(on, SHARING);
  }

  /** @param {string} deviceId where the others' sound is played */
  async setSpeaker(deviceId) {
    this.#speaker = deviceId;
    await this.#room?.switchActiveDevice('audiooutput', deviceId).catch(() => false);
  }

  /** Plays the others' sound; call from a click. */
  async startSound() {
    await this.#room?.startAudio().catch(() => {});
    if (this.#room) this.#tellSound(this.#room);
  }

  /**
   * The library takes an audio system that starts slowly, as with wireless headphones, for a browser that refuses.
   * @param {any} room
   */
  #tellSound(room) {
    const blocked = [...this.#audioBox.querySelectorAll('audio')].some(({ paused }) => paused);
    // Once it is content again, it tells of a browser that does refuse.
    if (!blocked && !room.canPlaybackAudio) void room.startAudio().catch(() => {});
    this.#events.soundBlocked(blocked);
  }

  #newRoom() {
    LivekitClient.setLogLevel('silent');
    const room = new LivekitClient.Room({
      adaptiveStream: true,
      dynacast: true,
      stopLocalTrackOnUnpublish: false,
      publishDefaults: { stopMicTrackOnMute: false },
    });
    const { RoomEvent } = LivekitClient;
    const tell = () => room === this.#room && this.#tellPeople();
    for (const event of [
      RoomEvent.ParticipantConnected,
      RoomEvent.ParticipantDisconnected,
      RoomEvent.ParticipantNameChanged,
      RoomEvent.ParticipantAttributesChanged,
      RoomEvent.ConnectionQualityChanged,
      RoomEvent.TrackPublished,
      RoomEvent.TrackUnpublished,
      RoomEvent.TrackMuted,
      RoomEvent.TrackUnmuted,
    ]) {
      room.on(event, tell);
    }
    return room
      .on(RoomEvent.TrackSubscribed, (/** @type {any[]} */ ...[track, , participant]) => this.#show(track, participant))
      .on(RoomEvent.TrackUnsubscribed, (/** @type {any[]} */ ...[track, , participant]) => this.#hide(track, participant))
      .on(RoomEvent.TrackMuted, (/** @type {any} */ publication, /** @type {any} */ who) => this.#muteSeen(publication, who))
      .on(RoomEvent.TrackUnmuted, (/** @type {any} */ publication, /** @type {any} */ who) => this.#show(publication.track, who))
      .on(RoomEvent.LocalTrackPublished, (/** @type {any} */ publication, /** @type {any} */ who) => this.#published(publication.track, who))
      .on(RoomEvent.LocalTrackUnpublished, (/** @type {any} */ publication, /** @type {any} */ who) => this.#unpublished(publication, who))
      .on(RoomEvent.ActiveSpeakersChanged, (/** @type {any[]} */ who) => this.#events.voices(who.map(({ identity }) => identity)))
      .on(RoomEvent.AudioPlaybackStatusChanged, () => this.#tellSound(room))
      .on(RoomEvent.SignalReconnecting, () => this.#reconnecting())
      .on(RoomEvent.Reconnecting, () => this.#reconnecting())
      .on(RoomEvent.Reconnected, () => this.#reconnected())
      .on(RoomEvent.Disconnected, (/** @type {number | undefined} */ reason) => this.#lost(room, reason));
  }

  /** Makes what the call sends equal to what it was given, one step at a time, until nothing is left to do. */
  async #match() {
    this.#matchAgain = true;
    if (this.#matching) return;
    this.#matching = true;
    try {
      while (this.#matchAgain && this.isLive) {
        this.#matchAgain = false;
        await this.#matchTracks(this.#room.localParticipant);
      }
    } catch {
      if (this.isLive) this.#events.state('live', t('your microphone or camera could not be sent to the call'));
    } finally {
      this.#matching = false;
    }
  }

  /** @param {any} me */
  async #matchTracks(me) {
    const { Source } = LivekitClient.Track;
    await matchTrack(me, Source.Microphone, this.#microphone);
    await matchTrack(me, Source.Camera, this.#camera);
    const voice = me.getTrackPublication(Source.Microphone);
    if (!voice || voice.isMuted === this.#muted) return;
    // A mute that is seen while we unmute is somebody else's.
    this.#muting = this.#muted;
    await (this.#muted ? voice.mute() : voice.unmute()).finally(() => (this.#muting = false));
  }

  #tellPeople() {
    const everybody = [this.#room.localParticipant, ...this.#room.remoteParticipants.values()];
    this.#events.people(everybody.map(describe));
  }

  /** Nobody tells who speaks for now. */
  #reconnecting() {
    this.#events.voices([]);
    this.#events.state('reconnecting', null);
  }

  #reconnected() {
    this.#events.state('live', null);
    this.#tellPeople();
    void this.#match();
  }

  /**
   * @param {any} track
   * @param {any} participant
   */
  #show(track, participant) {
    if (!track || participant.isLocal) return;
    const { Track } = LivekitClient;
    if (track.kind === Track.Kind.Audio) {
      if (track.attachedElements.length === 0) this.#audioBox.append(track.attach());
      return;
    }
    for (const element of track.detach()) element.remove();
    this.#events.picture(participant.identity, kindOf(track), pictureOf(track));
  }

  /**
   * @param {any} track
   * @param {any} participant
   */
  #hide(track, participant) {
    for (const element of track.detach()) element.remove();
    if (track.kind === LivekitClient.Track.Kind.Video) this.#events.picture(participant.identity, kindOf(track), null);
  }

  /**
   * @param {any} publication
   * @param {any} participant
   */
  #muteSeen(publication, participant) {
    const { Source } = LivekitClient.Track;
    if (!participant.isLocal) {
      if (publication.kind === LivekitClient.Track.Kind.Video) this.#events.picture(participant.identity, kindOf(publication), null);
      return;
    }
    // A device that was pulled out mutes as well; the microphone sees to that itself.
    const live = publication.track?.mediaStreamTrack.readyState === 'live';
    if (publication.source !== Source.Microphone || this.#muted || this.#muting || !live) return;
    this.#muted = true;
    this.#events.silenced();
  }

  /**
   * @param {any} track
   * @param {any} me
   */
  #published(track, me) {
    const { Source } = LivekitClient.Track;
    if (track.source === Source.ScreenShare) {
      this.#events.picture(me.identity, 'screen', pictureOf(track));
      this.#events.sharing(true);
    }
    if (track.source !== Source.Microphone || this.#watched.has(track)) return;
    this.#watched.add(track);
    track.on('restarted', () => {
      this.#microphone = track.mediaStreamTrack;
      this.#events.restarted(track.mediaStreamTrack);
    });
  }

  /**
   * @param {any} publication
   * @param {any} me
   */
  #unpublished(publication, me) {
    if (publication.source !== LivekitClient.Track.Source.ScreenShare) return;
    for (const element of publication.track?.detach() ?? []) element.remove();
    publication.track?.stop();
    this.#events.picture(me.identity, 'screen', null);
    this.#events.sharing(false);
  }

  /**
   * @param {any} room
   * @param {number | undefined} reason
   */
  #lost(room, reason) {
    if (room !== this.#room || !this.#joined || this.#leaving) return;
    const { DisconnectReason } = LivekitClient;
    if (reason === DisconnectReason.DUPLICATE_IDENTITY) return this.#off(t('it is open in another tab or window of yours'));
    if (reason === DisconnectReason.PARTICIPANT_REMOVED) return this.#off(t('you were removed from the call'));
    this.#off(t('the connection to the video server was lost'));
    this.#timer = setTimeout(() => this.retry(), RETRY_AFTER);
  }

  /** @param {string} reason */
  #off(reason) {
    if (this.#aside) return;
    this.#clear();
    this.#events.state('off', reason);
  }

  /** Nothing of the call is left to see or hear. */
  #clear() {
    const room = this.#room;
    this.#room = null;
    this.#joined = false;
    for (const participant of [room?.localParticipant, ...(room?.remoteParticipants?.values() ?? [])]) {
      if (!participant) continue;
      this.#events.picture(participant.identity, 'screen', null);
      if (!participant.isLocal) this.#events.picture(participant.identity, 'camera', null);
    }
    this.#audioBox.replaceChildren();
    this.#events.people(null);
    this.#events.voices([]);
    this.#events.sharing(false);
    this.#events.soundBlocked(false);
  }
}
