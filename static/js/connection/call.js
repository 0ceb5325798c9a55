/** LiveKit, path by path: each line as soon as it is known. */

import { t } from '../lib/words.js';
import { hasRelay, PATHS } from './candidates.js';
import { show } from './lines.js';
import { tryPath } from './paths.js';
import { addressOf } from './verdict.js';

/** @typedef {import('../types').Facts} Facts */
/** @typedef {import('../types').Path} Path */
/** @typedef {import('../types').Tried} Tried */
/** @typedef {{ url: string, tokens: Record<Path, string>, server: Facts['call'] }} CallPass */

/**
 * @param {CallPass | null} pass null where the server has no calls
 * @param {Facts} facts which it fills in
 * @returns {Promise<Tried[]>} what was tried
 */
export async function tryCall(pass, facts) {
  if (!pass) {
    facts.call = 'off';
    for (const name of ['call', ...PATHS]) show(name, 'skipped', t('This server has no calls.'));
    return [];
  }
  const { url, tokens, server } = pass;
  facts.call = server;
  facts.host = new URL(url).origin;
  facts.address = addressOf(url, location);
  facts.webrtc = 'RTCPeerConnection' in globalThis;
  if (!facts.webrtc || facts.address !== 'ok' || typeof LivekitClient === 'undefined') {
    show('call', 'failed', facts.webrtc ? t('A browser can’t use {address} here.', { address: facts.host }) : t('Your browser has no WebRTC.'));
    for (const path of PATHS) show(path, 'skipped', t('Not tried.'));
    return [];
  }
  show('call', 'running', t('Connecting…'));
  /** @type {Tried[]} */
  const tried = [];
  for (const path of PATHS) {
    if (facts.signal !== 'ok' && tried.length) {
      show(path, 'skipped', t('Not tried.'));
      continue;
    }
    if (tried.length && !isOffered(path, tried)) {
      facts.paths[path] = 'none';
      show(path, 'skipped', t('This server offers none.'));
      continue;
    }
    show(path, 'running', t('Trying…'));
    const one = await tryPath(path, url, tokens[path], () => signalled(facts));
    tried.push(one);
    if (tried.length === 1) tellSignal(one, facts);
    note(facts, tried);
    if (one.signal === 'ok') tellPath(one, facts);
    else show(path, 'skipped', t('Not tried.'));
  }
  return tried;
}

/** @param {Facts} facts */
function signalled(facts) {
  facts.signal = 'ok';
  show('call', 'ok', t('Answers.'));
}

/**
 * @param {Tried} one the first path
 * @param {Facts} facts
 */
function tellSignal({ signal }, facts) {
  facts.signal = signal;
  if (signal === 'refused') show('call', 'failed', t('It answers, and refuses this server’s key.'));
  if (signal === 'unreachable') show('call', 'failed', t('It can’t be reached at {address}.', { address: facts.host }));
  if (signal === 'failed') show('call', 'failed', t('It answers, and doesn’t let anybody in.'));
}

/**
 * What LiveKit offers is known once it has answered.
 * @param {Facts} facts
 * @param {Tried[]} tried
 */
function note(facts, tried) {
  const all = tried.flatMap(({ candidates }) => candidates);
  const key = (/** @type {Tried['candidates'][0]} */ one) => `${one.address} ${one.port} ${one.protocol}`;
  facts.addresses = [...new Map(all.map((one) => [key(one), one])).values()];
}

/**
 * @param {Path} path
 * @param {Tried[]} tried
 */
function isOffered(path, tried) {
  if (path === 'udp' || path === 'tcp') return tried.some(({ candidates }) => candidates.some(({ protocol }) => protocol === path));
  return hasRelay(tried.flatMap(({ urls }) => urls), path);
}

/**
 * @param {Tried} one
 * @param {Facts} facts
 */
function tellPath(one, facts) {
  const { path, works, pair, took } = one;
  if (works) {
    facts.paths[path] = 'ok';
    const time = Math.round(pair?.rtt ?? took);
    return show(path, 'ok', pair?.rtt ? t('Works: {time} ms there and back.', { time }) : t('Works: connected in {time} ms.', { time }));
  }
  const offered = isOffered(path, [one]);
  facts.paths[path] = offered ? 'failed' : 'none';
  if (!offered) return show(path, 'skipped', t('This server offers none.'));
  // Where a better way is open, one that is closed harms nobody.
  const spare = facts.paths.udp === 'ok';
  show(path, spare ? 'warn' : 'failed', spare ? t('Doesn’t get through; it isn’t needed, as UDP does.') : t('Doesn’t get through.'));
}
