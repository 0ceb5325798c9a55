/** What is away, in a line each: the connection, the video. The room goes on without any of them. */

import { t } from '../lib/words.js';

const LOSS_SAID_AFTER = 1_500;
const LOOK_EVERY = 1_000;
// Seconds of our speech: as many as are kept, as many as say so, and as many as are sent while nobody notices.
const MOST = 600;
const NEARLY = 540;
const FEW = 5;

/** @typedef {import('../types').Notice} Notice */
/** @typedef {import('./state.js').State} State */

/**
 * The header says at once that the connection is gone; the longer line waits, as most losses are over by then.
 * @param {State} state
 * @param {() => number} unsent seconds of our speech that the server may not have
 */
export function tellOutages(state, unsent) {
  state.when('joined', () => {
    state.on(['call', 'speech'], () => state.notice('video', ofCall(state)));
    tellConnection(state, unsent);
  });
}

/**
 * @param {State} state
 * @param {() => number} unsent
 */
function tellConnection(state, unsent) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  // Whether the loss has lasted long enough to be said.
  let said = false;
  // Who is signed out knows it, and that nothing is sent.
  const there = () => state.session.connection === 'live' || state.me.signedOut;
  const tell = () => {
    const seconds = state.me.signedOut ? 0 : unsent();
    if (there()) state.notice('connection', sending(seconds));
    else if (said) state.notice('connection', state.isTranscribed ? lost(seconds) : { text: t('The connection is lost.') });
  };
  state.on(['session', 'me'], () => {
    if (!there()) {
      timer ??= setTimeout(() => {
        said = true;
        tell();
      }, LOSS_SAID_AFTER);
      return;
    }
    clearTimeout(timer);
    timer = undefined;
    said = false;
    tell();
  });
  setInterval(tell, LOOK_EVERY);
}

/** @param {number} seconds of our speech @returns {Notice | null} */
function sending(seconds) {
  return seconds > FEW ? { text: t('What you said meanwhile is being sent. Keep this page open until that is done.') } : null;
}

/**
 * How much is kept is shown each minute, and heard only when something has to be known.
 * @param {number} seconds of our speech
 * @returns {Notice}
 */
function lost(seconds) {
  return { text: lostWords(seconds), aloud: seconds < 60 || seconds >= NEARLY };
}

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

/**
 * What becomes of captions is said elsewhere; here, whether they go on without the call.
 * @param {State} state
 * @returns {Notice | null}
 */
function ofCall({ call, speech }) {
  const reason = call.reason ?? '';
  if (call.state === 'reconnecting') return { text: t('Sound and video are reconnecting…') };
  if (call.state === 'live') return call.reason ? { text: t('Video: {reason}.', { reason }) } : null;
  if (call.state !== 'off') return null;
  // By choice of who runs the server, so there is nothing to try again.
  if (call.reason === null) {
    return {
      text:
        speech.engine.health === 'off'
          ? t('This server has no calls: people in this session can’t hear or see each other here.')
          : t('This server has captions only: people in this session can’t hear or see each other here.'),
    };
  }
  const text =
    speech.engine.health === 'off'
      ? t('Sound and video are off: {reason}. People in this session can’t hear or see each other here.', { reason })
      : t('Sound and video are off: {reason}. People in this session can’t hear or see each other here; captions go on.', { reason });
  const link = { label: t('Find out why'), href: `${location.pathname}/connection` };
  return { text, offer: { label: t('Try again'), act: 'retry-call' }, link };
}
