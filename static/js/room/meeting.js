/** From joining to leaving: everybody who is here, what they say and show, and our own part in it. */

import { find } from '../lib/dom.js';
import { t } from '../lib/words.js';
import { askBeforeLeaving, onWaking } from './accidents.js';
import { keepAwake } from './awake.js';
import { Chat } from './chat.js';
import { Controls } from './controls.js';
import { wireDialogs } from './focus.js';
import { errorWords } from './errors.js';
import { Header } from './header.js';
import { Hosting } from './hosting.js';
import { Login } from './login.js';
import { Lateness } from './lateness.js';
import { Leaving } from './leaving.js';
import { News } from './news.js';
import { Outages } from './outages.js';
import { Panels } from './panels.js';
import { People } from './people.js';
import { Place } from './place.js';
import { Roster } from './roster.js';
import { TranscriptionSocket } from './socket.js';
import { Stage } from './stage.js';
import { Subtitles } from './subtitles.js';
import { toggleFullScreen } from './tile.js';
import { Transcript } from './transcript.js';
import { Video } from './video.js';

const REPLAYED_WITHIN = 1_000;
const TOASTED = 120;

/** @typedef {import('./api.js').RoomApi} RoomApi */
/** @typedef {import('../types').Ticket} Ticket */
/** @typedef {import('../types').SessionState} SessionState */

/**
 * @typedef {object} Surroundings what was there before joining
 * @property {RoomApi} api
 * @property {import('./equipment.js').Equipment} equipment
 * @property {import('./notices.js').Notices} notices
 * @property {import('./settings.js').Settings} settings
 * @property {import('../types').Engine} engine as the page was told
 * @property {(why: string) => void} over we have left, and can't come back just so
 */

export class Meeting {
  #equipment;
  #notices;
  #settings;
  #over;
  #header = new Header();
  #subtitles = new Subtitles();
  #stage = new Stage(() => void this.#video.stopSharing());
  #roster;
  #transcript;
  #lateness;
  #outages;
  #news;
  #hosting;
  #leaving;
  #people;
  #controls;
  #video;
  #chat;
  #panels;
  #login;
  #place;
  #socket;
  #left = false;
  #awake = () => {};
  // Our login has ended, and we aren't back yet.
  #out = false;
  #welcomedAt = 0;
  // Whose pages don't answer.
  #away = '';

  /**
   * @param {Ticket} ticket
   * @param {Surroundings} surroundings
   */
  constructor(ticket, { api, equipment, notices, settings, engine, over }) {
    this.#equipment = equipment;
    this.#notices = notices;
    this.#settings = settings;
    this.#over = over;
    this.#roster = new Roster(ticket.you, (faces) => this.#draw(faces));
    this.#transcript = new Transcript(ticket.you.identity);
    this.#lateness = new Lateness({
      show: (text, aloud) => notices.set('captions', text, undefined, aloud),
      mark: (identity, speech) => this.#roster.trouble(identity, speech),
    });
    this.#outages = new Outages(notices, () => (this.#out ? 0 : this.#socket.unsent));
    this.#news = new News(this.#header, notices);
    this.#hosting = new Hosting(api, notices, settings);
    this.#leaving = this.#newLeaving(api);
    this.#people = this.#newPeople();
    this.#controls = this.#newControls();
    this.#login = new Login(api, notices, ticket, () => this.#socket.retryNow());
    this.#video = this.#newVideo();
    this.#chat = this.#newChat();
    this.#panels = this.#newPanels();
    this.#place = new Place(notices, () => this.#say({ type: 'take' }));
    this.#socket = this.#newSocket();
    this.#outages.engine(engine);
    this.#lateness.engine(engine);
    this.#begin(ticket);
  }

  /** @param {import('../types').Frame} frame of our own voice */
  frame(frame) {
    this.#awake();
    this.#socket.push(frame);
  }

  /** @param {number} level of our own voice, 0 to 1 */
  level(level) {
    this.#controls.level(level);
  }

  /** Our microphone was turned on or off, or has another track: one switch for captions, call and label. */
  microphone() {
    const { isOn } = this.#equipment.microphone;
    this.#controls.microphone(isOn);
    this.#roster.microphone(isOn);
    this.#socket.setMicrophone(isOn);
    this.#video.microphone();
  }

  /** Our camera likewise. */
  camera() {
    this.#video.camera();
  }

  /** @param {Ticket} ticket */
  #begin(ticket) {
    this.#showSession(ticket.session);
    if (ticket.session.others_came) this.#stage.company();
    this.#chat.begin(ticket.you.identity);
    this.#socket.open(ticket);
    this.camera();
    this.microphone();
    void this.#video.connect(ticket.video);
    wireDialogs();
    keepAwake();
    askBeforeLeaving(() => this.#isInCall || this.#unsent > 0);
    this.#awake = onWaking(() => this.#equipment.microphone.isOn && this.#notices.toast(t('Your microphone is on.')));
  }

  /** Whole seconds of our speech that would be lost if we left. */
  get #unsent() {
    return this.#left ? 0 : Math.floor(this.#socket.unsent);
  }

  get #isGuest() {
    return find('#room').dataset.guest !== undefined;
  }

  get #isInCall() {
    const { microphone, camera } = this.#equipment;
    return !this.#left && (microphone.isOn || camera.isOn || this.#video.isLive);
  }

  #leave() {
    this.#left = true;
    this.#equipment.stop();
    this.#video.leave();
    this.#socket.close();
  }

  /** @param {RoomApi} api */
  #newLeaving(api) {
    return new Leaving({ unsent: () => this.#unsent, leave: () => this.#leave(), end: () => api.end(), ended: () => api.show() });
  }

  #newPeople() {
    return new People({
      act: (action, person) => void this.#hosting.act(action, person),
      all: (action) => void this.#hosting.actOnAll(action),
      settings: (fields) => void this.#hosting.change(fields),
    });
  }

  #newVideo() {
    return new Video({
      join: () => this.#login.join(),
      equipment: this.#equipment,
      roster: this.#roster,
      stage: this.#stage,
      controls: this.#controls,
      notices: this.#notices,
      outages: this.#outages,
    });
  }

  #newControls() {
    const { microphone, camera } = this.#equipment;
    return new Controls({
      microphone: (on = !microphone.isOn) => (on && this.#refuses()) || void this.#equipment.turnMicrophone(on),
      camera: () => this.#refuses() || void this.#equipment.turnCamera(!camera.isOn),
      share: () => this.#refuses() || void this.#video.share(),
      hand: () => this.#say({ type: 'hand', up: !this.#news.isUp(this.#roster.me.identity) }),
      react: (emoji) => this.#say({ type: 'reaction', emoji }),
      settings: () => this.#settings.open(),
      shortcuts: () => /** @type {HTMLDialogElement} */ (find('[data-shortcuts-dialog]')).showModal(),
      fullScreen: () => void toggleFullScreen(document.documentElement),
      leave: (event) => this.#leaving.click(event),
      subtitles: () => this.#subtitles.toggle(),
      panel: (panel) => this.#panels.toggle(panel),
      closePanel: () => this.#panels.close(),
    });
  }

  #newChat() {
    return new Chat(
      (text) => this.#say({ type: 'chat', text }),
      (unread, line) => {
        this.#news.unread(unread);
        const open = { label: t('Open chat'), act: () => this.#panels.show('chat') };
        if (line) this.#notices.toast(`${line.name}: ${line.text.slice(0, TOASTED)}`, open, 'chat');
      },
    );
  }

  #newPanels() {
    return new Panels((panel) => {
      this.#subtitles.transcript(panel === 'transcript');
      this.#chat.opened(panel === 'chat');
      if (panel === 'chat') this.#notices.seen('chat');
      if (panel) this.#controls.panelOpened();
    });
  }

  #newSocket() {
    return new TranscriptionSocket(() => this.#login.join(), {
      state: (state) => {
        this.#header.connection(state);
        this.#outages.connection(state === 'live' || this.#out);
      },
      message: (message) => this.#take(message),
      over: (why) => this.#end(why),
      signedOut: () => this.#signedOut(),
      lost: () =>
        this.#notices.toast(t('The connection was away for too long: some of your words are lost, and the transcript shows the gap.')),
    });
  }

  /** Nothing is sent any more, not even later: who is signed out believes to be unheard. */
  #signedOut() {
    // A guest who has left for good can't come back as who they were.
    if (this.#isGuest) return this.#end('signed_out');
    if (this.#out) return;
    this.#out = true;
    this.#outages.connection(true);
    this.#equipment.standBy();
    this.#video.active(false);
  }

  /** @returns {boolean} whether nothing can be turned on here, which is said */
  #refuses() {
    if (this.#out) this.#sayNotNow();
    return this.#out || this.#place.refuses();
  }

  #signedIn() {
    if (!this.#out) return;
    this.#out = false;
    this.#video.active(this.#place.isActive);
  }

  /** @param {import('../types').ServerMessage} message */
  #take(message) {
    switch (message.type) {
      case 'welcome':
        return this.#welcome(message);
      case 'utterance':
        this.#transcript.show(message);
        return this.#subtitles.show(message);
      case 'speech':
        this.#roster.speech(message);
        return this.#lateness.speech(message, this.#roster.nameOf(message.identity) ?? t('someone'));
      case 'people':
        this.#showPeople(message);
        return this.#lateness.people(message.people);
      case 'chat':
        return this.#chat.show(message, performance.now() - this.#welcomedAt > REPLAYED_WITHIN);
      case 'reaction':
        return this.#stage.react(message.identity, message.emoji);
      case 'muted':
        return this.#equipment.silenced();
      case 'active':
        return this.#activate(message.on);
      case 'session':
        return this.#changed(message);
      case 'error':
        this.#notices.toast(errorWords(message));
        if (['too_much', 'chat_full', 'not_allowed'].includes(message.code)) this.#chat.refused();
    }
  }

  /** @param {import('../types').Welcome} welcome */
  #welcome(welcome) {
    this.#welcomedAt = performance.now();
    this.#showSession(welcome.session);
    this.#outages.engine(welcome.engine);
    this.#lateness.engine(welcome.engine);
    this.#transcript.begin(welcome);
    this.#subtitles.begin(welcome);
    this.#showPeople(welcome);
    this.#lateness.people([]);
    this.#news.begin();
    this.#activate(welcome.active);
    this.#signedIn();
  }

  /** @param {boolean} active whether this page has our microphone and call, or another one of ours */
  #activate(active) {
    if (!this.#place.set(active)) return;
    if (!active) this.#equipment.standBy();
    this.#video.active(active);
  }

  /** @param {SessionState} session */
  #changed(session) {
    if (session.status === 'ENDED' || session.status === 'EXPIRED') return this.#end('ended');
    this.#showSession(session);
    this.#settings.title(session.title ?? '');
  }

  /** @param {SessionState} session */
  #showSession(session) {
    this.#header.session(session);
    this.#people.session(session);
  }

  /**
   * @param {{ people: import('../types').Person[], waiting?: import('../types').Knock[], denied?: import('../types').Knock[] }} message
   *   a welcome doesn't tell who waits: that follows at once
   */
  #showPeople({ people, waiting, denied }) {
    this.#roster.people(people);
    this.#subtitles.people(people);
    this.#news.hands(people, this.#roster.me.identity);
    if (waiting) {
      this.#people.knocks(waiting);
      this.#news.knocking(waiting);
      this.#news.people(people, this.#roster.me.identity);
    }
    if (denied) this.#people.denied(denied);
  }

  /** @param {import('../types').Face[]} faces */
  #draw(faces) {
    const me = faces.find((face) => face.me);
    this.#stage.draw(faces);
    this.#people.draw(faces);
    this.#drawAway(faces);
    this.#leaving.show(faces);
    this.#controls.hand(Boolean(me?.hand));
    this.#hosting.show(me?.role === 'HOST');
  }

  /** @param {import('../types').Face[]} faces */
  #drawAway(faces) {
    const away = faces.filter((face) => face.away).map(({ identity }) => identity);
    if (away.join() === this.#away) return;
    this.#away = away.join();
    this.#transcript.away(new Set(away));
  }

  /** @param {import('../types').Remark} remark */
  #say(remark) {
    const said = this.#socket.say(remark);
    if (!said) this.#sayNotNow();
    return said;
  }

  #sayNotNow() {
    this.#notices.toast(t('Not connected right now: try again in a moment.'));
  }

  /** @param {string} why */
  #end(why) {
    this.#leave();
    this.#over(why);
  }
}
