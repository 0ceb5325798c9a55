/** Why there is no microphone, and what to do about it in this browser. */

/** @typedef {{ says: string, remedy: string }} Remedy */

/** @returns {string} where this browser keeps the permission */
function permissionPlace() {
  const agent = navigator.userAgent;
  if (/Firefox\//.test(agent)) return 'Click the crossed-out microphone left of the address, remove the block, and try again.';
  if (/Edg\/|Chrome\/|Chromium\//.test(agent)) return 'Click the icon left of the address, allow the microphone, and try again.';
  if (/iPhone|iPad/.test(agent)) return 'Tap the page menu next to the address, open Website Settings, allow the microphone, and reload.';
  if (/Safari\//.test(agent)) return 'Open Safari’s menu, Settings for This Website, allow the microphone, and try again.';
  return 'Allow the microphone for this page in your browser’s settings, and try again.';
}

/** @type {Record<string, () => Remedy>} */
const REMEDIES = {
  InsecureOrigin: () => ({
    says: 'This page may not use a microphone.',
    remedy: `Browsers allow it only over https, or on localhost. Open this page as https://${location.host}.`,
  }),
  NotAllowedError: () => ({ says: 'Your browser is blocking the microphone.', remedy: permissionPlace() }),
  NotFoundError: () => ({ says: 'No microphone was found.', remedy: 'Plug one in or switch it on, and try again.' }),
  NotReadableError: () => ({
    says: 'The microphone can’t be opened.',
    remedy: 'Another program may be using it: close that one, and try again.',
  }),
  OverconstrainedError: () => ({
    says: 'The chosen microphone is gone.',
    remedy: 'Choose another one in Settings.',
  }),
};

/**
 * @param {unknown} error what getUserMedia or the audio graph threw
 * @returns {Remedy}
 */
export function remedyFor(error) {
  const name = error instanceof Error || error instanceof DOMException ? error.name : '';
  const known = REMEDIES[name === 'SecurityError' ? 'NotAllowedError' : name];
  if (known) return known();
  return { says: 'The microphone didn’t start.', remedy: 'Reload the page, or try another browser.' };
}

/** @returns {Error} for pages that are neither https nor localhost */
export function insecureOrigin() {
  return Object.assign(new Error('no mediaDevices on an insecure origin'), { name: 'InsecureOrigin' });
}
