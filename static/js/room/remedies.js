/** Why there is no microphone or camera, and what to do about it in this browser. */

import { find } from '../lib/dom.js';

/** @typedef {'microphone' | 'camera'} Device */
/** @typedef {{ says: string, remedy: string }} Remedy */

/**
 * @param {Device} device
 * @returns {string} where this browser keeps the permission
 */
function permissionPlace(device) {
  const agent = navigator.userAgent;
  if (/Firefox\//.test(agent)) return `Click the crossed-out ${device} left of the address, remove the block, and try again.`;
  if (/Edg\/|Chrome\/|Chromium\//.test(agent)) return `Click the icon left of the address, allow the ${device}, and try again.`;
  if (/iPhone|iPad/.test(agent)) return `Tap the page menu next to the address, open Website Settings, allow the ${device}, and reload.`;
  if (/Safari\//.test(agent)) return `Open Safari’s menu, Settings for This Website, allow the ${device}, and try again.`;
  return `Allow the ${device} for this page in your browser’s settings, and try again.`;
}

/** @returns {string} how to get to an address where microphones work: the server's own, where it has one */
function secureWay() {
  const link = find('#room').dataset.link ?? '';
  if (link.startsWith('https:')) return `Open ${link} instead.`;
  return 'Whoever runs this server: “Other computers” in the README says how to get an address with TLS.';
}

/** @type {Record<string, (device: Device) => Remedy>} */
const REMEDIES = {
  InsecureOrigin: (device) => ({
    says: `This page may not use a ${device}.`,
    remedy: `Browsers allow it only over https, or on the computer that runs Sessions as localhost. ${secureWay()}`,
  }),
  NotAllowedError: (device) => ({ says: `Your browser is blocking the ${device}.`, remedy: permissionPlace(device) }),
  NotFoundError: (device) => ({ says: `No ${device} was found.`, remedy: 'Plug one in or switch it on, and try again.' }),
  NotReadableError: (device) => ({
    says: `The ${device} can’t be opened.`,
    remedy: 'Another program may be using it: close that one, and try again.',
  }),
  OverconstrainedError: (device) => ({
    says: `The chosen ${device} is gone.`,
    remedy: 'Choose another one in Settings.',
  }),
};

/**
 * @param {unknown} error what getUserMedia or the audio graph threw
 * @param {Device} [device]
 * @returns {Remedy}
 */
export function remedyFor(error, device = 'microphone') {
  const name = error instanceof Error || error instanceof DOMException ? error.name : '';
  const known = REMEDIES[name === 'SecurityError' ? 'NotAllowedError' : name];
  if (known) return known(device);
  return { says: `The ${device} didn’t start.`, remedy: 'Reload the page, or try another browser.' };
}

/** @returns {Error} for pages that are neither https nor localhost */
export function insecureOrigin() {
  return Object.assign(new Error('no mediaDevices on an insecure origin'), { name: 'InsecureOrigin' });
}
