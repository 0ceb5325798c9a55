/** The room's side of /ws: what the server says becomes what is true here, and what we say goes up. */

import { t } from '../lib/words.js';
import { notNow } from './actions.js';
import { errorWords } from './errors.js';
import { TranscriptionSocket } from './socket.js';

// After which of its refusals a line of the chat won't come back.
const LINE_REFUSED = ['too_much', 'chat_full', 'not_allowed'];

/** @typedef {import('../types').Welcome} Welcome */

export class Wire {
  #state;
  #socket;

  /**
   * @param {import('./state.js').State} state
   * @param {import('./actions.js').Actions} actions
   * @param {() => Promise<import('../types').Ticket | import('../types').Waiting>} join asks for a fresh token
   */
  constructor(state, actions, join) {
    this.#state = state;
    /** @type {import('./socket.js').SocketEvents} */
    const events = {
      state: (connection) => state.set('session', { connection }),
      message: (message) => this.#take(message),
      over: (why) => state.happen('over', why),
      signedOut: () => this.#signedOut(),
      lost: () => state.toast(t('The connection was away for too long: some of your words are lost, and the transcript shows the gap.')),
    };
    this.#socket = new TranscriptionSocket(join, events, state.me.toldAudio);
    this.#socket.reads = state.view.reads;
    state.when('joined', (ticket) => this.#open(ticket));
    state.when('left', () => this.#socket.close());
    state.when('signedIn', () => this.#socket.retryNow());
    actions.on('hand', () => this.#say({ type: 'hand', up: !state.me.person.hand }));
    actions.on('react', ({ emoji }) => this.#say({ type: 'reaction', emoji }));
    actions.on('chat', ({ text }) => this.#say({ type: 'chat', text }));
    actions.on('speak', ({ language }) => void this.#say({ type: 'speak', language }));
    actions.on('read', ({ language }) => this.#read(language));
    actions.on('take', () => state.set('me', { taking: this.#say({ type: 'take' }) }));
  }

  /** Whole seconds of our speech that would be lost if we left now. */
  get unsent() {
    return this.#state.me.left ? 0 : Math.floor(this.#socket.unsent);
  }

  /** @param {string} language that is read from now on; a connection that isn't there yet is told when it begins */
  #read(language) {
    this.#state.set('view', { reads: language, original: false });
    this.#socket.reads = language;
    this.#socket.say({ type: 'read', language: language || null });
  }

  /** @param {import('../types').Ticket} ticket */
  #open(ticket) {
    this.#socket.open(ticket);
    // What the lobby heard was nobody's but ours.
    this.#state.when('frame', (frame) => this.#socket.push(frame));
    this.#state.on(['me', 'session'], ({ me, isAgreed, isTranscribed }) => {
      if (!isAgreed) this.#socket.forget();
      this.#socket.setMicrophone(me.microphone.isOn && isTranscribed);
    });
  }

  /** @param {import('../types').ServerMessage} message */
  #take(message) {
    const state = this.#state;
    switch (message.type) {
      case 'welcome':
        return this.#welcome(message);
      case 'utterance':
        return state.happen('utterance', message);
      case 'corrected':
        return state.happen('corrected', message);
      case 'names':
        return state.set('session', { names: message.names });
      case 'translation':
        return state.happen('translation', message);
      case 'spoken':
        return state.set('me', { language: message.language });
      case 'speech':
        return state.set('speech', { of: new Map(state.speech.of).set(message.identity, message) });
      case 'people':
        this.#people(message.people);
        return state.set('people', { listed: true, waiting: message.waiting, denied: message.denied, untranscribed: message.untranscribed });
      case 'chat':
        return state.happen('chat', message);
      case 'reaction':
        return state.happen('reaction', message);
      case 'muted':
        return state.happen('muted');
      case 'active':
        return state.set('me', { active: message.on });
      case 'minutes':
        return state.set('speech', { near: message.near });
      case 'consent':
        return state.set('me', { consent: { asked: message.asked, given: message.given } });
      case 'pauses':
        return state.set('session', pausesOf(message));
      case 'session':
        return this.#session(message);
      case 'error':
        state.toast(errorWords(message));
        if (LINE_REFUSED.includes(message.code)) state.happen('chatRefused');
    }
  }

  /** @param {Welcome} welcome */
  #welcome(welcome) {
    const state = this.#state;
    state.set('session', { ...welcome.session, ...pausesOf(welcome), names: welcome.names, audio: welcome.audio, welcomedAt: performance.now() });
    // Who is still in trouble with their captions is told anew.
    const well = [...state.speech.of].filter(([, { state }]) => state !== 'delayed' && state !== 'failed');
    state.set('speech', { engine: welcome.engine, of: new Map(well), near: null });
    state.set('me', { active: welcome.active, consent: welcome.consent, language: welcome.language, signedOut: false });
    state.set('people', { listed: false });
    state.happen('welcome', welcome);
    this.#people(welcome.people);
  }

  /** @param {import('../types').Person[]} here */
  #people(here) {
    const { me, speech } = this.#state;
    const of = new Map([...speech.of].filter(([identity]) => here.some((one) => one.identity === identity)));
    if (of.size < speech.of.size) this.#state.set('speech', { of });
    this.#state.set('people', { here });
    this.#state.set('me', { person: here.find(({ identity }) => identity === me.person.identity) ?? me.person });
  }

  /** @param {import('../types').SessionState} session what has changed of it */
  #session(session) {
    if (session.status === 'ENDED' || session.status === 'EXPIRED') this.#state.happen('over', 'ended');
    else this.#state.set('session', session);
  }

  /** Nothing is sent any more, not even later: who is signed out believes to be unheard. */
  #signedOut() {
    // A guest who has left for good can't come back as who they were.
    if (this.#state.me.guest) this.#state.happen('over', 'signed_out');
    else this.#state.set('me', { signedOut: true });
  }

  /**
   * @param {import('../types').Remark} remark
   * @returns {boolean} whether it was sent; that it wasn't is said
   */
  #say(remark) {
    const said = this.#socket.say(remark);
    if (!said) this.#state.toast(notNow());
    return said;
  }
}

/** @param {{ pauses: import('../types').Pause[] }} told */
function pausesOf({ pauses }) {
  return { pauses, paused: pauses.at(-1)?.end === null };
}
