/** What happens to a meeting by accident: a slip that closes its tab, and a lid that is opened again. */

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
 * @param {() => void} woke the computer was asleep
 * @returns {() => void} to call on whatever happens while it isn't: of a tab that is hidden, timers stand still for a minute
 */
export function onWaking(woke) {
  let last = Date.now();
  const look = () => {
    const now = Date.now();
    if (now - last > SLEPT && !document.hidden) woke();
    last = now;
  };
  setInterval(look, LOOK_EVERY);
  return look;
}
