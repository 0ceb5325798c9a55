/**
 * Sends a file in pieces. Whatever breaks off, the server knows how much of the file it has, and it is gone on from
 * there: after a line that broke, and after a page that was closed, once the same file is chosen again.
 */

import { ApiError, post, refusal } from '../lib/api.js';

const MB = 1_000_000;
const LEAST = MB / 4; // bytes of a piece; a proxy may take no more than some
const MOST = 4 * MB;
const QUICK_MS = 1_500; // pieces that take less become larger
const SLOW_MS = 12_000;
const PIECE_TIMEOUT_MS = 90_000;
const FIRST_WAIT_S = 1;
const MOST_WAIT_S = 15;
const BUSY = new Set([408, 409, 429, 500, 502, 503, 504]); // what may be over in a moment

/**
 * @typedef {object} Told
 * @property {(received: number) => void} came how many bytes are there now
 * @property {(broken: boolean) => void} broke whether the line is broken at the moment
 */

/**
 * @param {string} base the upload's address
 * @param {File} file
 * @param {Told} told
 * @returns {Promise<void>} throws ApiError for what can't be sent, however often it is tried
 */
export async function send(base, file, told) {
  let piece = MB;
  let wait = FIRST_WAIT_S;
  /** @type {{ number: number, received: number } | null} */
  let place = null;
  for (;;) {
    const began = performance.now();
    try {
      place ??= await post(`${base}/begin`, { name: file.name, size: String(file.size), modified: String(file.lastModified) });
      const { number, received } = /** @type {{ number: number, received: number }} */ (place);
      told.broke(false);
      told.came(received);
      if (received >= file.size) return;
      const there = await put(`${base}/files/${number}?offset=${received}`, file.slice(received, received + piece));
      place = { number, received: there };
      wait = FIRST_WAIT_S;
      const took = performance.now() - began;
      if (took < QUICK_MS) piece = Math.min(MOST, piece * 2);
      else if (took > SLOW_MS) piece = Math.max(LEAST, piece / 2);
    } catch (error) {
      place = null; // it says anew how much it has
      if (error instanceof ApiError && error.status === 413 && error.code === 'failed' && piece > LEAST) {
        piece = Math.max(LEAST, piece / 4); // a proxy's bound
        continue;
      }
      if (error instanceof ApiError && !BUSY.has(error.status)) throw error;
      if (error instanceof ApiError && error.code === 'upload_begun') throw error;
      if (error instanceof ApiError && error.code.endsWith('_full')) throw error;
      if (error instanceof ApiError && error.code === 'upload_elsewhere') throw error;
      told.broke(true);
      piece = Math.max(LEAST, piece / 2);
      await pause(Math.max(wait, error instanceof ApiError ? error.retryAfter : 0));
      wait = Math.min(MOST_WAIT_S, wait * 2);
    }
  }
}

/**
 * @param {string} address
 * @param {Blob} piece
 * @returns {Promise<number>} how many bytes of the file are there now
 */
async function put(address, piece) {
  const response = await fetch(address, {
    method: 'POST',
    headers: { accept: 'application/json', 'content-type': 'application/octet-stream' },
    body: piece,
    signal: AbortSignal.timeout(PIECE_TIMEOUT_MS),
  });
  const text = await response.text();
  if (response.ok || response.status === 409) {
    const { received } = text.startsWith('{') ? JSON.parse(text) : {};
    if (typeof received === 'number') return received;
  }
  throw refusal(response, text);
}

/**
 * Waits, but no longer than until the browser says that it is online again.
 * @param {number} seconds
 */
function pause(seconds) {
  return new Promise((done) => {
    const timer = setTimeout(over, seconds * 1000);
    addEventListener('online', over);
    function over() {
      clearTimeout(timer);
      removeEventListener('online', over);
      done(undefined);
    }
  });
}
