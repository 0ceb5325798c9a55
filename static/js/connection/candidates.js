/**
 * Which of a browser's and a server's ways to each other belong to one path: pure, for tests without a browser.
 * A candidate is a line of RFC 8839, section 5.1: "candidate:1 1 udp 2130706431 192.0.2.7 7882 typ host".
 */

/** @typedef {import('../types').Path} Path */
/** @typedef {'local' | 'remote'} Side */
/** @typedef {{ protocol: string, address: string, port: number, type: string }} Candidate */

/** @type {readonly Path[]} */
export const PATHS = ['udp', 'tcp', 'turn-udp', 'turn-tls'];

/**
 * @param {string} line with or without `a=`
 * @returns {Candidate | null} null for what is none
 */
export function candidateOf(line) {
  const found = /^(?:a=)?candidate:\S+ \d+ (\S+) \d+ (\S+) (\d+) typ (\S+)/i.exec(line.trim());
  if (!found) return null;
  const [, protocol, address, port, type] = found;
  return { protocol: protocol.toLowerCase(), address, port: Number(port), type };
}

/**
 * @param {Path} path
 * @param {Side} side
 * @param {string} line
 * @returns {boolean} whether the path may use it; the empty line that ends them belongs to all
 */
export function belongs(path, side, line) {
  const candidate = candidateOf(line);
  if (!candidate) return true;
  if (path === 'udp' || path === 'tcp') return candidate.protocol === path && candidate.type !== 'relay';
  // What a relay sends is UDP, whatever leads to it.
  return side === 'local' ? candidate.type === 'relay' : candidate.protocol === 'udp';
}

/**
 * @param {Path} path
 * @param {Side} side whose description it is
 * @param {string} sdp
 * @returns {string} without the ways that don't belong to the path
 */
export function narrowed(path, side, sdp) {
  const lines = sdp.split('\r\n');
  return lines.filter((line) => !line.startsWith('a=candidate:') || belongs(path, side, line)).join('\r\n');
}

/**
 * What was left out may be found all the same: a server tries ways of its own to who asks it.
 * @param {Path} path
 * @param {{ local: string, protocol: string } | null} pair that is used; null where the browser doesn't tell
 * @returns {boolean} whether it is of the path
 */
export function isOf(path, pair) {
  if (!pair) return true;
  // A relay behind an address translation is seen at another address than it believes to have: its candidate is then one
  // that the other side told of. Where only relays may be used there is nothing else that this could be.
  if (path.startsWith('turn')) return pair.local === 'relay' || pair.local === 'prflx';
  return pair.local !== 'relay' && pair.protocol === path;
}

/**
 * @param {Path} path
 * @param {RTCIceServer[]} servers
 * @returns {RTCIceServer[]} those that the path needs, with those of their addresses that it may use
 */
export function serversOf(path, servers) {
  return servers.map((one) => ({ ...one, urls: urlsOf(one).filter((url) => pathOf(url) === path) })).filter(({ urls }) => urls.length > 0);
}

/** @param {RTCIceServer} server @returns {string[]} */
export function urlsOf({ urls }) {
  return Array.isArray(urls) ? urls : [urls];
}

/**
 * @param {string} url of a STUN or TURN server
 * @returns {Path | null} which path it serves
 */
function pathOf(url) {
  if (url.startsWith('turns:')) return 'turn-tls';
  if (url.startsWith('turn:')) return /[?&]transport=tcp/.test(url) ? 'turn-tls' : 'turn-udp';
  return url.startsWith('stun:') ? 'udp' : null;
}

/**
 * @param {string[]} urls of the server's STUN and TURN servers
 * @param {Path} path
 * @returns {boolean} whether one of them is a relay for this path
 */
export function hasRelay(urls, path) {
  return urls.some((url) => url.startsWith('turn') && pathOf(url) === path);
}

/**
 * @param {string} address
 * @returns {boolean} whether only one's own network, or computer, can have it
 */
export function isPrivate(address) {
  const bare = address.replace(/^\[|\]$/g, '').toLowerCase();
  if (bare.includes(':')) return bare === '::1' || /^f[cd]|^fe[89ab]/.test(bare);
  const [a, b] = bare.split('.').map(Number);
  if ([0, 10, 127].includes(a)) return true;
  return (a === 172 && b >= 16 && b < 32) || (a === 192 && b === 168) || (a === 169 && b === 254) || (a === 100 && b >= 64 && b < 128);
}
