/** What happens to a meeting by accident: a slip that closes its tab, and a lid that is opened again. */

const LOOK_EVERY = 1_000;
// No busy page stands still for so long; a computer that sleeps does.
const SLEPT = 20_000;

let meant = false;

/** Says that we leave this page ourselves, so that nobody is asked. */
export function leaveOnPurpose() {
  meant = true;
}

/** @param {() => boolean} inCall whether closing, reloading or going back would leave a call */
export function askBeforeLeaving(inCall) {
  window.addEventListener('beforeunload', (event) => {
    // The browser asks in its own words, and only people who have touched the page.
    if (!meant && inCall()) event.preventDefault();
  });
}

/** @param {() => void} woke the computer was asleep */
export function onWaking(woke) {
  let last = Date.now();
  setInterval(() => {
    const now = Date.now();
    if (now - last > SLEPT && !document.hidden) woke();
    last = now;
  }, LOOK_EVERY);
}
