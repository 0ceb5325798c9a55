/**
 * What the results mean, and whose fault it is: the one table of that, without a browser or words.
 *
 * What the page meets is compared with what the server met itself. What both can't do is the server's fault, what only
 * the page can't do lies between them, and what works another way is the network's.
 */

import { isPrivate } from './candidates.js';

/** @typedef {import('../types').Facts} Facts */
/** @typedef {import('../types').Verdict} Verdict */

/** @type {Record<string, string>} the codes of what is wrong with a device, by result */
const DEVICE = { blocked: 'blocked', missing: 'missing', busy: 'busy', silent: 'silent', unheard: 'unheard', failed: 'failed' };

/**
 * @param {Facts} facts
 * @returns {Verdict[]} what is wrong, the gravest first; one that says that nothing is, if nothing is
 */
export function verdicts(facts) {
  const found = [...ofConnection(facts), ...ofDevices(facts)];
  if (found.length) return found;
  if (facts.server === 'untested') return [verdict('untested', 'nobody')];
  if (facts.call === 'off') return [verdict('fine-captions', 'nobody')];
  const tried = [facts.microphone, facts.camera, facts.speaker].every((result) => result === 'ok');
  return [verdict(tried ? 'fine' : 'fine-so-far', 'nobody')];
}

/** @param {Facts} facts @returns {Verdict[]} */
function ofConnection(facts) {
  if (facts.server === 'untested') return [];
  if (facts.server !== 'ok') return [verdict(`server-${facts.server}`, facts.server === 'away' ? 'network' : 'nobody')];
  return [ofCall(facts), ofSocket(facts)].filter((one) => one !== null);
}

/** @param {Facts} facts @returns {Verdict | null} */
function ofSocket({ socket }) {
  if (socket === 'ok' || socket === 'untested') return null;
  return verdict(`socket-${socket}`, 'between');
}

/** @param {Facts} facts @returns {Verdict | null} */
function ofCall(facts) {
  if (facts.call === 'off') return null;
  if (!facts.webrtc) return verdict('no-webrtc', 'browser');
  if (facts.address !== 'ok') return verdict(`call-${facts.address}`, 'server', { address: facts.host });
  if (facts.signal === 'untested') return null;
  return facts.signal === 'ok' ? ofMedia(facts) : ofSignal(facts);
}

/** @param {Facts} facts @returns {Verdict} why LiveKit doesn't let the page in at all */
function ofSignal({ signal, call, host }) {
  // Our own server was refused with the same key: nobody's network does that.
  if (call === 'refused') return verdict('call-key', 'server');
  // It was taken by the server's own way and refused by the browser's: they lead to two LiveKits.
  if (signal === 'refused') return verdict(call === 'ok' ? 'call-two' : 'call-key', 'server');
  if (call === 'unreachable') return verdict('call-away', 'server', { address: host });
  if (call === 'failed' || signal === 'failed') return verdict('call-failed', 'server', { address: host });
  return verdict('call-hidden', 'between', { address: host });
}

/** @param {Facts} facts @returns {Verdict | null} by which way sound and picture go */
function ofMedia(facts) {
  const { udp, tcp } = facts.paths;
  const relay = [facts.paths['turn-udp'], facts.paths['turn-tls']].includes('ok');
  // One that others can have, too: a server with a relay also offers the address that it has in its container.
  const offered = facts.addresses.find(({ address }) => !isPrivate(address)) ?? facts.addresses[0];
  const ports = (/** @type {string[]} */ ...only) => ({ address: offered?.address ?? facts.host, ports: portsOf(facts, only) });
  if (udp === 'ok') return facts.call === 'ok' ? null : verdict('call-api', 'server');
  if (udp === 'untested' && tcp === 'untested') return null;
  if (tcp === 'ok') return udp === 'none' ? verdict('media-no-udp', 'server') : verdict('media-udp', 'network', ports('udp'));
  if (relay) return verdict('media-relay', 'network', ports('udp', 'tcp'));
  const addresses = facts.addresses.map(({ address }) => address);
  if (addresses.length === 0) return verdict('media-none', 'server');
  if (addresses.every(isPrivate)) return verdict('media-address', 'server', { address: [...new Set(addresses)].join(', ') });
  return verdict('media-blocked', 'between', ports('udp', 'tcp'));
}

/**
 * @param {Facts} facts
 * @param {string[]} protocols
 * @returns {string} such as "7882/udp, 7881/tcp"
 */
function portsOf({ addresses }, protocols) {
  const meant = addresses.filter(({ protocol }) => protocols.includes(protocol));
  return [...new Set(meant.map(({ port, protocol }) => `${port}/${protocol}`))].join(', ');
}

/** @param {Facts} facts @returns {Verdict[]} */
function ofDevices(facts) {
  const devices = /** @type {const} */ (['microphone', 'speaker', 'camera']);
  return devices
    .filter((device) => facts[device] in DEVICE)
    .map((device) => verdict(`${device}-${DEVICE[facts[device]]}`, facts[device] === 'blocked' ? 'browser' : 'device'));
}

/**
 * @param {string} code
 * @param {Verdict['blame']} blame
 * @param {Record<string, string>} [values]
 * @returns {Verdict}
 */
function verdict(code, blame, values = {}) {
  return { code, blame, values };
}

/**
 * @param {string} url of LiveKit
 * @param {{ protocol: string, hostname: string }} page where the page is
 * @returns {Facts['address']} whether a browser can use it from there at all
 */
export function addressOf(url, page) {
  const { protocol, hostname } = new URL(url);
  const local = (/** @type {string} */ host) => host === 'localhost' || host.endsWith('.localhost') || host === '[::1]' || /^127\./.test(host);
  if (local(hostname)) return local(page.hostname) ? 'ok' : 'local';
  return page.protocol === 'https:' && ['ws:', 'http:'].includes(protocol) ? 'insecure' : 'ok';
}
