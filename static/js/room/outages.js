/** What is away, in a line each: the connection, the video. The room goes on without any of them. */

import { t } from '../lib/words.js';

const LOSS_SAID_AFTER = 1_500;
const LOOK_EVERY = 1_000;
// Seconds of our speech: as many as are kept, as many as say so, and as many as are sent while nobody notices.
const MOST = 600;
const NEARLY = 540;
const FEW = 5;

/**
 * @param {number} seconds of our speech that are kept
 * @returns {string}
 */
function lostWords(seconds) {
  if (seconds < 60) return t('The connection is lost. What you say is kept for up to 10 minutes and sent when it is back.');
  if (seconds < NEARLY) {
    return t('The connection is lost. What you say is kept and sent when it is back: {minutes} of 10 minutes. Keep this page open.', {
      minutes: Math.floor(seconds / 60),
    });
  }
  if (seconds < MOST - 1) {
    return t('The connection is lost. What you say is kept: 9 of 10 minutes. Soon the oldest of it is let go. Keep this page open.');
  }
  return t('The connection is lost. Your last 10 minutes are kept, and what you said before that is let go. Keep this page open.');
}

export class Outages {
  #notices;
  #unsent;
  #live = false;
  // Whether the loss has lasted long enough to be said.
  #said = false;
  /** Whether there is speech recognition, as far as we were told. */
  #captions = true;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {import('./notices.js').Notices} notices
   * @param {() => number} unsent seconds of our speech that the server may not have
   */
  constructor(notices, unsent) {
    this.#notices = notices;
    this.#unsent = unsent;
    setInterval(() => this.#tell(), LOOK_EVERY);
  }

  /**
   * The header says at once that the connection is gone; the longer line waits, as most losses are over by then.
   * @param {boolean} live
   */
  connection(live) {
    this.#live = live;
    if (live) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#said = false;
      this.#tell();
    } else {
      this.#timer ??= setTimeout(() => {
        this.#said = true;
        this.#tell();
      }, LOSS_SAID_AFTER);
    }
  }

  /** How much is kept is shown each minute, and heard only when something has to be known. */
  #tell() {
    const seconds = this.#unsent();
    if (!this.#live) {
      if (this.#said) this.#notices.set('connection', lostWords(seconds), undefined, seconds < 60 || seconds >= NEARLY);
      return;
    }
    const sending = seconds > FEW ? t('What you said meanwhile is being sent. Keep this page open until that is done.') : null;
    this.#notices.set('connection', sending);
  }

  /** What becomes of captions is said elsewhere; here, whether they go on without the call. @param {import('../types').Engine} engine */
  engine({ health }) {
    this.#captions = health !== 'off';
  }

  /**
   * @param {import('./call.js').CallState} state
   * @param {string | null} reason
   * @param {() => void} retry
   */
  call(state, reason, retry) {
    this.#notices.set('video', this.#callWords(state, reason), state === 'off' ? { label: t('Try again'), act: retry } : undefined);
  }

  /**
   * @param {import('./call.js').CallState} state
   * @param {string | null} why
   */
  #callWords(state, why) {
    const reason = why ?? '';
    if (state === 'reconnecting') return t('Sound and video are reconnecting…');
    if (state === 'live') return why && t('Video: {reason}.', { reason });
    if (state !== 'off') return null;
    return this.#captions
      ? t('Sound and video are off: {reason}. People in this session can’t hear or see each other here; captions go on.', { reason })
      : t('Sound and video are off: {reason}. People in this session can’t hear or see each other here.', { reason });
  }
}
