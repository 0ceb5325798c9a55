/** What is away, in a line each: the connection, the video. The room goes on without any of them. */

const LOST = 'The connection is lost. What you say is kept for 5 minutes and sent when it is back.';
const LOSS_SAID_AFTER = 1_500;

export class Outages {
  #notices;
  /** Whether there is speech recognition, as far as we were told. */
  #captions = true;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {import('./notices.js').Notices} notices */
  constructor(notices) {
    this.#notices = notices;
  }

  /**
   * The header says at once that the connection is gone; the longer line waits, as most losses are over by then.
   * @param {boolean} live
   */
  connection(live) {
    if (live) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#notices.set('connection', null);
    } else {
      this.#timer ??= setTimeout(() => this.#notices.set('connection', LOST), LOSS_SAID_AFTER);
    }
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
    const words = {
      off: `Sound and video are off: ${reason}. People in this session can’t hear or see each other here${this.#captions ? '; captions go on' : ''}.`,
      connecting: null,
      live: reason && `Video: ${reason}.`,
      reconnecting: 'Sound and video are reconnecting…',
      aside: null,
    }[state];
    this.#notices.set('video', words, state === 'off' ? { label: 'Try again', act: retry } : undefined);
  }
}
