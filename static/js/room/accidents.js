/** What happens to a meeting by accident: a slip that closes its tab, and a lid that is opened again. */

import { t } from '../lib/words.js';

const LOOK_EVERY = 1_000;
// No busy page stands still for so long; a computer that sleeps does.
const SLEPT = 20_000;

let meant = false;

/** Says that we leave this page ourselves, so that nobody is asked. */
export function leaveOnPurpose() {
  meant = true;
}

/** @param {() => boolean} matters whether closing, reloading or going back would leave a call, or lose what was said */
export function askBeforeLeaving(matters) {
  window.addEventListener('beforeunload', (event) => {
    // The browser asks in its own words, and only people who have touched the page.
    if (!meant && matters()) event.preventDefault();
  });
}

/**
 * Who opens a lid again is told that the microphone is on.
 * @param {import('./state.js').State} state
 */
export function tellWaking(state) {
  let last = Date.now();
  const look = () => {
    const now = Date.now();
    const slept = now - last > SLEPT && !document.hidden;
    last = now;
    if (slept && state.me.microphone.isOn) state.toast(t('Your microphone is on.'));
  };
  setInterval(look, LOOK_EVERY);
  // Of a tab that is hidden, timers stand still for a minute: our own voice shows that the computer doesn't sleep.
  state.when('frame', look);
}
