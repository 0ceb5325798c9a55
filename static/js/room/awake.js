/** Keeps a phone's screen from going dark in mid-meeting, where the browser can. */

export function keepAwake() {
  const ask = () => document.hidden || navigator.wakeLock?.request('screen').catch(() => {});
  // The browser lets the lock go whenever the page is hidden.
  document.addEventListener('visibilitychange', ask);
  void ask();
}
