/** The page's side of docs/protocol.md: connects, says hello, sends audio, reconnects, resends. */

import { ApiError } from '../lib/api.js';
import { Speech } from './speech.js';
import { agreed } from './state.js';

const PROTOCOL = 'sessions.v1';
const RATE = 16_000;
// Bytes: on a slow line a chat line waits behind them.
const MAX_BUFFERED = 1 << 18;
const DRAIN_CHECK = 250;
const FIRST_DELAY = 250;
const LONGEST_DELAY = 8_000;
const TOO_FAST_DELAY = 5_000;
// A connection that lived this long was good: the next loss starts with a short delay again.
const STEADY = 10_000;
const WELCOME_WITHIN = 10_000;
const WATCH_EVERY = 1_000;
// The server sends a beat every 2 s.
const QUIET = 4_000;
const SECOND_LOOK = 900;
const STUCK = 4_000;
// Who has sent something since the last beat has answered it.
const ANSWERED = 1_500;
// A host has to answer the knock anew: as patient as the lobby.
const KNOCK_DELAY = 2_500;
const CLOSE = { left: 1000, removed: 4401, signedOut: 4403, noMember: 4404, ended: 4410, tooFast: 4429 };

/** @typedef {import('../types').ConnectionState} ConnectionState */
/** @typedef {import('../types').Ticket} Ticket */
/** @typedef {import('../types').Waiting} Waiting */

/**
 * @typedef {object} SocketEvents
 * @property {(state: ConnectionState) => void} state
 * @property {(message: import('../types').ServerMessage) => void} message
 * @property {(why: string) => void} over it will not come back by itself: `removed`, `no_member`, `ended` or the code of a refusal
 * @property {() => void} signedOut our login has ended: it comes back by itself once we are signed in again
 * @property {() => void} lost audio was let go before it could be sent; everybody will see the gap
 */

export class TranscriptionSocket {
  #join;
  #events;
  #audio;
  #speech = new Speech();
  #client = randomName();
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {ConnectionState} */
  #state = 'offline';
  #attempt = 0;
  #failures = 0;
  #liveSince = 0;
  #lastHeard = 0;
  // When the server's silence was first noticed; 0 while it isn't silent.
  #doubted = 0;
  #lookedAt = 0;
  #lastSent = 0;
  #sent = 0;
  #drained = 0;
  #seq = 0;
  // The last line of the chat that was shown.
  #chat = 0;
  #corrected = 0;
  #mic = false;
  /** The code of the language that is read here, '' for none. */
  reads = '';
  /** @type {number | undefined} our sample when this connection said hello */
  #clock;
  // The sample at which the session started, at the earliest and at the latest.
  #zero = { early: NaN, late: NaN };
  /** @type {boolean | null} whether this page has our microphone and call, as the server last said */
  #active = null;
  /** @type {boolean | null} what this connection's server was told */
  #told = null;
  #lossSaid = false;
  #closed = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #drain;

  /**
   * @param {() => Promise<Ticket | Waiting>} join asks for a fresh token
   * @param {SocketEvents} events
   * @param {number} audio for how many days the door of this page said that sound is kept
   */
  constructor(join, events, audio) {
    this.#join = join;
    this.#events = events;
    this.#audio = audio;
  }

  /** @param {Ticket} ticket the first one; later connections ask for their own */
  open(ticket) {
    window.addEventListener('offline', () => this.#drop(0));
    window.addEventListener('online', () => this.retryNow());
    document.addEventListener('visibilitychange', () => !document.hidden && this.#watch());
    setInterval(() => this.#watch(), WATCH_EVERY);
    this.#attempt += 1;
    this.#set('connecting');
    this.#dial(ticket);
  }

  /** Seconds of our speech that the server may not have: all that isn't text while the connection is lost. */
  get unsent() {
    return this.#state === 'live' ? this.#speech.unsent : this.#speech.kept;
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.close(CLOSE.left);
  }

  /** @param {boolean} on whether audio is coming; said after the audio that came before */
  setMicrophone(on) {
    this.#mic = on;
    this.#pump();
  }

  /** Lets go all that is kept and isn't sent: we don't want it to be transcribed. */
  forget() {
    this.#speech.forget([{ start: -Infinity, end: null }], 0, 0);
  }

  /**
   * @param {import('../types').Remark} remark
   * @returns {boolean} false when there is no connection: it was not sent and will not be
   */
  say(remark) {
    if (this.#state !== 'live' || this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#send(JSON.stringify(remark));
    return true;
  }

  /** @param {import('../types').Frame} frame kept and sent */
  push(frame) {
    this.#speech.keep(frame, this.#state === 'live');
    this.#tellLoss();
    this.#pump();
  }

  #tellLoss() {
    if (this.#lossSaid || !this.#speech.lost) return;
    this.#lossSaid = true;
    this.#events.lost();
  }

  async #connect() {
    const attempt = ++this.#attempt;
    this.#set('connecting');
    try {
      const ticket = await this.#join();
      if (attempt !== this.#attempt || this.#closed) return;
      if ('waiting' in ticket) this.#retryAfter(KNOCK_DELAY);
      else this.#dial(ticket);
    } catch (error) {
      if (attempt === this.#attempt) this.#turnedAway(error);
    }
  }

  /** @param {unknown} error */
  #turnedAway(error) {
    // Without a code it isn't our server that refuses, but a proxy before one that is away.
    const refused = error instanceof ApiError && error.code !== 'failed';
    if (refused && error.status === 401) {
      this.#events.signedOut();
      return this.#closed || this.#retryAfter(LONGEST_DELAY);
    }
    if (refused && [403, 404, 410].includes(error.status)) return this.#finish(error.code);
    const wait = error instanceof ApiError ? error.retryAfter * 1000 : 0;
    this.#retryAfter(Math.max(wait, this.#backOff()));
  }

  #hello() {
    const shown = { seq: this.#seq, chat: this.#chat, corrected: this.#corrected };
    const { settled, clock } = this.#speech;
    this.#clock = clock;
    this.#send(JSON.stringify({ type: 'hello', client: this.#client, ...shown, settled, clock, active: this.#active, beats: true, audio: this.#audio, reads: this.reads || null }));
  }

  /** @param {Ticket} ticket */
  #dial({ transcription }) {
    const socket = new WebSocket(transcription.url, [PROTOCOL, transcription.token]);
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => this.#hello();
    socket.onmessage = ({ data }) => this.#hear(socket, JSON.parse(data));
    socket.onclose = ({ code }) => this.#drop(code);
    this.#socket = socket;
    this.#told = null;
    this.#sent = this.#drained = 0;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#state !== 'live' && this.#drop(0), WELCOME_WITHIN);
  }

  /**
   * @param {WebSocket} socket
   * @param {import('../types').ServerMessage} message
   */
  #hear(socket, message) {
    if (socket !== this.#socket) return;
    this.#lastHeard = Date.now();
    if (message.type === 'welcome') this.#welcomed(message);
    if (message.type === 'beat') return this.#answer();
    if (message.type === 'pauses') this.#forgetPauses(message.pauses);
    if (message.type === 'active') this.#active = message.on;
    if (message.type === 'corrected') this.#corrected = Math.max(this.#corrected, message.number);
    if ((message.type === 'utterance' || message.type === 'corrected') && message.seq) this.#seq = Math.max(this.#seq, message.seq);
    if (message.type === 'chat') this.#chat = Math.max(this.#chat, message.id);
    if (message.type === 'settled') this.#speech.settle(message.index);
    else this.#events.message(message);
  }

  /** @param {import('../types').Welcome} welcome `received` is the next sample that the server wants */
  #welcomed({ received, seq, active, consent, pauses, now }) {
    clearTimeout(this.#timer);
    this.#active = active;
    // Its `now` was between our hello and this moment.
    const zeroFrom = (/** @type {number} */ clock) => clock - now * RATE;
    this.#zero = { early: zeroFrom(this.#clock ?? NaN), late: zeroFrom(this.#speech.clock ?? NaN) };
    this.#forgetPauses(pauses);
    if (!agreed(consent)) this.forget();
    this.#speech.goOn(received);
    this.#tellLoss();
    // A crash can take the newest text with it; it is told again under the same numbers.
    this.#seq = Math.min(this.#seq, seq);
    this.#liveSince = Date.now();
    this.#set('live');
    this.#pump();
  }

  /** @param {import('../types').Pause[]} pauses what is kept of them is never sent; who never recorded keeps nothing */
  #forgetPauses(pauses) {
    const { early, late } = this.#zero;
    if (early <= late) this.#speech.forget(pauses, early, late);
  }

  /** Sends what is kept, oldest first, and the microphone's state in its place between frames. */
  #pump() {
    if (this.#state !== 'live' || this.#socket?.readyState !== WebSocket.OPEN) return;
    for (;;) {
      if (this.#socket.bufferedAmount > MAX_BUFFERED || !this.#speech.mayGo) return this.#pumpLater();
      const next = this.#speech.next();
      if (!next) break;
      if (typeof next !== 'string') this.#tell(true);
      this.#send(next);
    }
    this.#lossSaid = false;
    this.#tell(this.#mic);
  }

  #pumpLater() {
    clearTimeout(this.#drain);
    this.#drain = setTimeout(() => this.#pump(), DRAIN_CHECK);
  }

  /** @param {boolean} on */
  #tell(on) {
    if (this.#told === on) return;
    this.#told = on;
    this.#send(JSON.stringify({ type: 'mic', on }));
  }

  #answer() {
    if (Date.now() - this.#lastSent > ANSWERED) this.#send(JSON.stringify({ type: 'beat' }));
  }

  /** @param {import('./speech.js').Data} data */
  #send(data) {
    this.#lastSent = Date.now();
    this.#socket?.send(data);
    this.#sent += typeof data === 'string' ? data.length : data.byteLength;
  }

  /** @param {number} code 0: this side gave up on the connection */
  #drop(code) {
    const socket = this.#socket;
    if (!socket || this.#closed) return;
    this.#socket = null;
    this.#attempt += 1;
    // A dead network never answers the closing handshake: don't wait for it.
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
    if (code === CLOSE.ended) return this.#finish('ended');
    if (code === CLOSE.removed) return this.#finish('removed');
    if (code === CLOSE.noMember) return this.#finish('no_member');
    if (code === CLOSE.signedOut) this.#events.signedOut();
    if (this.#closed) return;
    if (this.#state === 'live' && Date.now() - this.#liveSince > STEADY) this.#failures = 0;
    const delay = this.#backOff();
    this.#retryAfter(code === CLOSE.tooFast ? Math.max(delay, TOO_FAST_DELAY) : delay);
  }

  #backOff() {
    const delay = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** this.#failures);
    this.#failures += 1;
    return delay * (0.75 + Math.random() / 2);
  }

  /** @param {number} delay */
  #retryAfter(delay) {
    this.#set('offline');
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#connect(), delay);
  }

  /** Connects now rather than in a while, where it isn't connected. */
  retryNow() {
    if (this.#closed || this.#state !== 'offline') return;
    clearTimeout(this.#timer);
    void this.#connect();
  }

  /**
   * A dead network closes nothing by itself: no beat of the server's, or audio that doesn't move, gives it away.
   * A page that slept, or was busy, finds what came meanwhile only after this: so a silence counts when it is still
   * there a moment later.
   */
  #watch() {
    const socket = this.#socket;
    if (this.#state !== 'live' || !socket) return;
    const now = Date.now();
    if (now - this.#lastHeard < QUIET) this.#doubted = 0;
    else if (!this.#doubted) this.#doubted = now;
    else if (now - this.#doubted >= SECOND_LOOK) return this.#drop(0);
    if (now - this.#lookedAt >= STUCK) this.#lookAtBuffer(socket, now);
  }

  /**
   * @param {WebSocket} socket
   * @param {number} now
   */
  #lookAtBuffer(socket, now) {
    this.#lookedAt = now;
    const drained = this.#sent - socket.bufferedAmount;
    const stuck = socket.bufferedAmount > 0 && drained <= this.#drained;
    this.#drained = drained;
    if (stuck) this.#drop(0);
  }

  /** @param {string} why */
  #finish(why) {
    this.#closed = true;
    this.#set('offline');
    this.#events.over(why);
  }

  /** @param {ConnectionState} state */
  #set(state) {
    if (state === this.#state) return;
    this.#state = state;
    this.#events.state(state);
  }
}

/** 16 random characters; crypto.randomUUID exists on secure origins only. */
function randomName() {
  return Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
