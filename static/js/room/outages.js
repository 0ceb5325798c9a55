/** What is away, in a line each: the connection, the video. The room goes on without any of them. */

const LOSS_SAID_AFTER = 1_500;
const LOOK_EVERY = 1_000;
// Seconds of our speech: as many as are kept, as many as say so, and as many as are sent while nobody notices.
const MOST = 600;
const NEARLY = 540;
const FEW = 5;
const LOST = 'The connection is lost. ';
const SENDING = 'What you said meanwhile is being sent. Keep this page open until that is done.';

/**
 * @param {number} seconds of our speech that are kept
 * @returns {string}
 */
function keptWords(seconds) {
  if (seconds < 60) return 'What you say is kept for up to 10 minutes and sent when it is back.';
  if (seconds < NEARLY) return `What you say is kept and sent when it is back: ${Math.floor(seconds / 60)} of 10 minutes. Keep this page open.`;
  if (seconds < MOST - 1) return 'What you say is kept: 9 of 10 minutes. Soon the oldest of it is let go. Keep this page open.';
  return 'Your last 10 minutes are kept, and what you said before that is let go. Keep this page open.';
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
    if (this.#live) this.#notices.set('connection', seconds > FEW ? SENDING : null);
    else if (this.#said) this.#notices.set('connection', LOST + keptWords(seconds), undefined, seconds < 60 || seconds >= NEARLY);
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
