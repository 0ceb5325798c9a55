/** The call: livekit-client's room, reduced to what this page shows. */

const RETRY_AFTER = 10_000;

/** @typedef {import('../types').Door} Door */
/** @typedef {'off' | 'connecting' | 'live' | 'reconnecting'} CallState */

/**
 * @typedef {object} CallEvents
 * @property {(state: CallState, reason: string | null) => void} state
 * @property {(identity: string, element: HTMLElement | null) => void} video
 * @property {(identities: string[]) => void} voices
 * @property {(blocked: boolean) => void} soundBlocked the browser wants a click before it plays sound
 * @property {(on: boolean) => void} camera
 * @property {(track: MediaStreamTrack) => void} restarted the call replaced the microphone's track
 */

/** One call at a time. The microphone's track is given to it; it never opens one of its own. */
export class Call {
  #events;
  #audioBox;
  #ask;
  /** @type {any} */
  #room = null;
  /** @type {any} */
  #publication = null;
  /** @type {MediaStreamTrack | null} */
  #microphone = null;
  #muted = true;
  #joined = false;
  #leaving = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {() => Promise<Door | null>} ask for a fresh address and token
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

  /** @param {Door | null} door null when this server has no call */
  async connect(door) {
    if (!door) return this.#events.state('off', 'this server has no video set up');
    if (typeof LivekitClient === 'undefined') return this.#events.state('off', 'its program did not load');
    this.#events.state('connecting', null);
    const room = this.#newRoom();
    this.#room = room;
    try {
      await room.connect(door.url, door.token);
      this.#joined = true;
    } catch (error) {
      if (room === this.#room) this.#off(connectReason(error));
      return;
    }
    this.#events.state('live', null);
    await this.#publish();
  }

  /** Asks for a fresh token and connects again. */
  async retry() {
    clearTimeout(this.#timer);
    if (this.#leaving || this.isLive) return;
    try {
      await this.connect(await this.#ask());
    } catch {
      this.#off('the server can’t be reached');
    }
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
  async setMicrophone(track, muted) {
    this.#muted = muted;
    const replaced = track !== this.#microphone;
    this.#microphone = track;
    if (!this.isLive) return;
    if (!this.#publication) await this.#publish();
    else if (replaced && track) await this.#publication.track?.replaceTrack(track, true);
    await this.#applyMute();
  }

  /** @param {boolean} on throws what the browser says when the camera can't be opened */
  async setCamera(on) {
    await this.#room?.localParticipant.setCameraEnabled(on);
  }

  /** Plays the others' sound; call from a click. */
  async startSound() {
    await this.#room?.startAudio();
  }

  #newRoom() {
    LivekitClient.setLogLevel('error');
    const room = new LivekitClient.Room({
      adaptiveStream: true,
      dynacast: true,
      stopLocalTrackOnUnpublish: false,
      publishDefaults: { stopMicTrackOnMute: false },
    });
    const { RoomEvent } = LivekitClient;
    room
      .on(RoomEvent.TrackSubscribed, (/** @type {any[]} */ ...[track, , participant]) => this.#show(track, participant))
      .on(RoomEvent.TrackUnsubscribed, (/** @type {any[]} */ ...[track, , participant]) => this.#hide(track, participant))
      .on(RoomEvent.TrackMuted, (/** @type {any} */ publication, /** @type {any} */ who) => this.#cover(publication, who))
      .on(RoomEvent.TrackUnmuted, (/** @type {any} */ publication, /** @type {any} */ who) => this.#show(publication.track, who))
      .on(RoomEvent.LocalTrackPublished, (/** @type {any} */ publication, /** @type {any} */ who) => this.#show(publication.track, who))
      .on(RoomEvent.LocalTrackUnpublished, (/** @type {any} */ publication, /** @type {any} */ who) => this.#cover(publication, who))
      .on(RoomEvent.ActiveSpeakersChanged, (/** @type {any[]} */ who) => this.#events.voices(who.map(({ identity }) => identity)))
      .on(RoomEvent.AudioPlaybackStatusChanged, () => this.#events.soundBlocked(!room.canPlaybackAudio))
      .on(RoomEvent.SignalReconnecting, () => this.#events.state('reconnecting', null))
      .on(RoomEvent.Reconnecting, () => this.#events.state('reconnecting', null))
      .on(RoomEvent.Reconnected, () => this.#events.state('live', null))
      .on(RoomEvent.Disconnected, (/** @type {number | undefined} */ reason) => this.#lost(room, reason));
    return room;
  }

  async #publish() {
    const room = this.#room;
    if (!this.#microphone) return;
    try {
      this.#publication = await room.localParticipant.publishTrack(this.#microphone, {
        source: LivekitClient.Track.Source.Microphone,
        stopMicTrackOnMute: false,
      });
      this.#publication.track?.on('restarted', (/** @type {any} */ track) => this.#events.restarted(track.mediaStreamTrack));
      await this.#applyMute();
    } catch {
      if (room === this.#room && this.isLive) this.#events.state('live', 'your voice could not be sent to the call');
    }
  }

  async #applyMute() {
    if (this.#muted) await this.#publication?.mute();
    else await this.#publication?.unmute();
  }

  /**
   * @param {any} track
   * @param {any} participant
   */
  #show(track, participant) {
    if (!track) return;
    const { Track } = LivekitClient;
    if (track.kind === Track.Kind.Audio) {
      if (!participant.isLocal) this.#audioBox.append(track.attach());
    } else if (track.source === Track.Source.Camera) {
      track.detach();
      this.#events.video(participant.identity, pictureOf(track));
      if (participant.isLocal) this.#events.camera(true);
    }
  }

  /**
   * @param {any} track
   * @param {any} participant
   */
  #hide(track, participant) {
    for (const element of track.detach()) element.remove();
    if (track.source === LivekitClient.Track.Source.Camera) this.#events.video(participant.identity, null);
  }

  /**
   * @param {any} publication
   * @param {any} participant
   */
  #cover(publication, participant) {
    if (publication.source !== LivekitClient.Track.Source.Camera) return;
    this.#events.video(participant.identity, null);
    if (participant.isLocal) this.#events.camera(false);
  }

  /**
   * @param {any} room
   * @param {number | undefined} reason
   */
  #lost(room, reason) {
    if (room !== this.#room || !this.#joined || this.#leaving) return;
    const { DisconnectReason } = LivekitClient;
    if (reason === DisconnectReason.DUPLICATE_IDENTITY) return this.#off('it is open in another tab or window of yours');
    if (reason === DisconnectReason.PARTICIPANT_REMOVED) return this.#off('you were removed from the call');
    this.#off('the connection to the video server was lost');
    this.#timer = setTimeout(() => this.retry(), RETRY_AFTER);
  }

  /** @param {string} reason */
  #off(reason) {
    for (const participant of [this.#room?.localParticipant, ...(this.#room?.remoteParticipants?.values() ?? [])]) {
      if (participant) this.#events.video(participant.identity, null);
    }
    this.#room = null;
    this.#joined = false;
    this.#publication = null;
    this.#audioBox.replaceChildren();
    this.#events.voices([]);
    this.#events.camera(false);
    this.#events.soundBlocked(false);
    this.#events.state('off', reason);
  }
}

/** @param {any} track */
function pictureOf(track) {
  const element = track.attach();
  element.setAttribute('aria-hidden', 'true');
  element.tabIndex = -1;
  return element;
}

/** @param {any} error */
function connectReason(error) {
  const { ConnectionErrorReason } = LivekitClient;
  switch (error?.reason) {
    case ConnectionErrorReason.ServerUnreachable:
    case ConnectionErrorReason.WebSocket:
      return 'the video server can’t be reached';
    case ConnectionErrorReason.NotAllowed:
      return 'the video server refused this server’s key';
    case ConnectionErrorReason.Timeout:
      return 'the video server doesn’t answer';
    default:
      return 'the call could not be joined';
  }
}
