/** Why there is no microphone or camera, and what to do about it in this browser. */

import { find } from '../lib/dom.js';
import { t } from '../lib/words.js';

/** @typedef {'microphone' | 'camera'} Device */
/** @typedef {{ says: string, remedy: string }} Remedy */

/** @returns {string} where this browser keeps the permission */
function microphonePermission() {
  const agent = navigator.userAgent;
  if (/Firefox\//.test(agent)) return t('Click the crossed-out microphone left of the address, remove the block, and try again.');
  if (/Edg\/|Chrome\/|Chromium\//.test(agent)) return t('Click the icon left of the address, allow the microphone, and try again.');
  if (/iPhone|iPad/.test(agent)) {
    return t('Tap the page menu next to the address, open Website Settings, allow the microphone, and reload.');
  }
  if (/Safari\//.test(agent)) return t('Open Safari’s menu, Settings for This Website, allow the microphone, and try again.');
  return t('Allow the microphone for this page in your browser’s settings, and try again.');
}

/** @returns {string} likewise */
function cameraPermission() {
  const agent = navigator.userAgent;
  if (/Firefox\//.test(agent)) return t('Click the crossed-out camera left of the address, remove the block, and try again.');
  if (/Edg\/|Chrome\/|Chromium\//.test(agent)) return t('Click the icon left of the address, allow the camera, and try again.');
  if (/iPhone|iPad/.test(agent)) {
    return t('Tap the page menu next to the address, open Website Settings, allow the camera, and reload.');
  }
  if (/Safari\//.test(agent)) return t('Open Safari’s menu, Settings for This Website, allow the camera, and try again.');
  return t('Allow the camera for this page in your browser’s settings, and try again.');
}

/** @returns {string} how to get to an address where microphones work: the server's own, where it has one */
function secureWay() {
  const link = find('[data-link]').dataset.link ?? '';
  if (link.startsWith('https:')) {
    return t('Browsers allow it only over https, or on the computer that runs Sessions as localhost. Open {link} instead.', { link });
  }
  return t('Browsers allow it only over https, or on the computer that runs Sessions as localhost. Whoever runs this server: “Other computers” in the README says how to get an address with TLS.');
}

/** @type {Record<string, (camera: boolean) => Remedy>} by the error's name */
const REMEDIES = {
  InsecureOrigin: (camera) => ({
    says: camera ? t('This page may not use a camera.') : t('This page may not use a microphone.'),
    remedy: secureWay(),
  }),
  NotAllowedError: (camera) => ({
    says: camera ? t('Your browser is blocking the camera.') : t('Your browser is blocking the microphone.'),
    remedy: camera ? cameraPermission() : microphonePermission(),
  }),
  NotFoundError: (camera) => ({
    says: camera ? t('No camera was found.') : t('No microphone was found.'),
    remedy: t('Plug one in or switch it on, and try again.'),
  }),
  NotReadableError: (camera) => ({
    says: camera ? t('The camera can’t be opened.') : t('The microphone can’t be opened.'),
    remedy: t('Another program may be using it: close that one, and try again.'),
  }),
  OverconstrainedError: (camera) => ({
    says: camera ? t('The chosen camera is gone.') : t('The chosen microphone is gone.'),
    remedy: t('Choose another one in Settings.'),
  }),
};

/**
 * @param {unknown} error what getUserMedia or the audio graph threw
 * @param {Device} [device]
 * @returns {Remedy}
 */
export function remedyFor(error, device = 'microphone') {
  const name = error instanceof Error || error instanceof DOMException ? error.name : '';
  const camera = device === 'camera';
  const known = REMEDIES[name === 'SecurityError' ? 'NotAllowedError' : name];
  if (known) return known(camera);
  return {
    says: camera ? t('The camera didn’t start.') : t('The microphone didn’t start.'),
    remedy: t('Reload the page, or try another browser.'),
  };
}

/** @returns {Error} for pages that are neither https nor localhost */
export function insecureOrigin() {
  return Object.assign(new Error('no mediaDevices on an insecure origin'), { name: 'InsecureOrigin' });
}
