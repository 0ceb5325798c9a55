import assert from 'node:assert/strict';
import { test } from 'node:test';

import { belongs, candidateOf, hasRelay, isOf, isPrivate, narrowed, PATHS, serversOf } from '../../static/js/connection/candidates.js';
import { report } from '../../static/js/connection/report.js';
import { SAYINGS } from '../../static/js/connection/sayings.js';
import { addressOf, verdicts } from '../../static/js/connection/verdict.js';

/** @typedef {import('../../static/js/types').Facts} Facts */

const PUBLIC = [
  { address: '203.0.113.5', port: 7882, protocol: 'udp', type: 'host' },
  { address: '203.0.113.5', port: 7881, protocol: 'tcp', type: 'host' },
];
const DOCKER = PUBLIC.map((one) => ({ ...one, address: '172.18.0.5' }));
/** @type {Facts} when all is well */
const WELL = {
  webrtc: true,
  server: 'ok',
  call: 'ok',
  address: 'ok',
  host: 'wss://meet.example.com',
  socket: 'ok',
  signal: 'ok',
  paths: { udp: 'ok', tcp: 'ok', 'turn-udp': 'none', 'turn-tls': 'none' },
  addresses: PUBLIC,
  microphone: 'ok',
  camera: 'ok',
  speaker: 'ok',
};
/** @param {Partial<Facts['paths']>} paths @returns {Facts['paths']} nothing but these work */
const only = (paths) => ({ udp: 'failed', tcp: 'failed', 'turn-udp': 'none', 'turn-tls': 'none', ...paths });

/** Every row of the table: what was found, and what it means, as "code blame". @type {[string, Partial<Facts>, string[]][]} */
const TABLE = [
  ['all is well', {}, ['fine nobody']],
  ['a device was not tried', { camera: 'untested' }, ['fine-so-far nobody']],
  ['nothing was tried', { server: 'untested', socket: 'untested', signal: 'untested', camera: 'untested' }, ['untested nobody']],
  ['only a device was tried', { server: 'untested', microphone: 'blocked' }, ['microphone-blocked browser']],
  ['the server is away', { server: 'away' }, ['server-away network']],
  ['too many tests', { server: 'limited' }, ['server-limited nobody']],
  ['signed out meanwhile', { server: 'refused' }, ['server-refused nobody']],
  ['the server fails', { server: 'failed' }, ['server-failed nobody']],
  ['a browser without WebRTC', { webrtc: false, signal: 'untested' }, ['no-webrtc browser']],
  ['a server without calls', { call: 'off', signal: 'untested', webrtc: false }, ['fine-captions nobody']],
  ['LiveKit without TLS', { address: 'insecure', signal: 'untested' }, ['call-insecure server']],
  ['LiveKit at localhost', { address: 'local', signal: 'untested' }, ['call-local server']],
  ['no WebSocket opens', { socket: 'blocked' }, ['socket-blocked between']],
  ['a WebSocket breaks', { socket: 'cut' }, ['socket-cut between']],
  ['a WebSocket is changed', { socket: 'mangled' }, ['socket-mangled between']],
  ['wrong key, for both', { call: 'refused', signal: 'refused' }, ['call-key server']],
  ['wrong key, and the browser gets nowhere', { call: 'refused', signal: 'unreachable' }, ['call-key server']],
  ['wrong key, and the server gets nowhere', { call: 'unreachable', signal: 'refused' }, ['call-key server']],
  ['two LiveKits', { call: 'ok', signal: 'refused' }, ['call-two server']],
  ['LiveKit is away for both', { call: 'unreachable', signal: 'unreachable' }, ['call-away server']],
  ['LiveKit fails for the server', { call: 'failed', signal: 'unreachable' }, ['call-failed server']],
  ['LiveKit fails for the browser', { call: 'ok', signal: 'failed' }, ['call-failed server']],
  ['LiveKit is away for the browser alone', { call: 'ok', signal: 'unreachable' }, ['call-hidden between']],
  ['LiveKit is away for the server alone', { call: 'unreachable' }, ['call-api server']],
  ['UDP is blocked', { paths: only({ tcp: 'ok' }) }, ['media-udp network']],
  ['UDP is blocked, and a relay would do too', { paths: only({ tcp: 'ok', 'turn-udp': 'ok' }) }, ['media-udp network']],
  ['the server has no UDP', { paths: only({ udp: 'none', tcp: 'ok' }), addresses: PUBLIC.slice(1) }, ['media-no-udp server']],
  ['a relay alone, by UDP', { paths: only({ 'turn-udp': 'ok' }) }, ['media-relay network']],
  ['a relay alone, by TLS', { paths: only({ 'turn-udp': 'failed', 'turn-tls': 'ok' }) }, ['media-relay network']],
  ['nothing gets through', { paths: only({}) }, ['media-blocked between']],
  ['nothing gets through, to a private address', { paths: only({}), addresses: DOCKER }, ['media-address server']],
  ['nothing gets through, one address is public', { paths: only({}), addresses: [...DOCKER, ...PUBLIC] }, ['media-blocked between']],
  ['the server offers no way', { paths: only({ udp: 'none', tcp: 'none' }), addresses: [] }, ['media-none server']],
  ['a private address that works', { addresses: DOCKER }, ['fine nobody']],
  ['TCP is blocked, which harms nobody', { paths: only({ udp: 'ok' }) }, ['fine nobody']],
  ['the microphone is silent', { microphone: 'silent' }, ['microphone-silent device']],
  ['nobody hears the speaker', { speaker: 'unheard' }, ['speaker-unheard device']],
  ['the gravest first', { paths: only({ tcp: 'ok' }), socket: 'cut', camera: 'missing', microphone: 'blocked' }, ['media-udp network', 'socket-cut between', 'microphone-blocked browser', 'camera-missing device']],
];

for (const [name, facts, expected] of TABLE) {
  test(`verdict: ${name}`, () => {
    const found = verdicts({ ...WELL, ...facts });
    assert.deepEqual(found.map(({ code, blame }) => `${code} ${blame}`), expected);
    for (const { code, values } of found) assert.doesNotMatch(SAYINGS[code](values).join(' '), /\{\w+\}|undefined/);
  });
}

test('every result of every device has its words', () => {
  const results = /** @type {const} */ (['blocked', 'missing', 'busy', 'silent', 'failed']);
  for (const device of ['microphone', 'camera']) {
    for (const result of results) {
      const [found] = verdicts({ ...WELL, [device]: result });
      assert.equal(SAYINGS[found.code](found.values).length, 2);
    }
  }
  for (const result of ['unheard', 'failed']) assert.ok(SAYINGS[verdicts({ ...WELL, speaker: /** @type {any} */ (result) })[0].code]);
});

test('a verdict names what is to be changed', () => {
  const [blocked] = verdicts({ ...WELL, paths: only({ tcp: 'ok' }) });
  assert.deepEqual(blocked.values, { address: '203.0.113.5', ports: '7882/udp' });
  const [relayed] = verdicts({ ...WELL, paths: only({ 'turn-udp': 'ok' }), addresses: [...DOCKER, ...PUBLIC] });
  assert.deepEqual(relayed.values, { address: '203.0.113.5', ports: '7882/udp, 7881/tcp' });
  const [address] = verdicts({ ...WELL, paths: only({}), addresses: DOCKER });
  assert.match(SAYINGS[address.code](address.values)[1], /It says 172\.18\.0\.5,/);
});

test('whether a browser can use the address of LiveKit', () => {
  const page = (/** @type {string} */ url) => new URL(url);
  assert.equal(addressOf('wss://meet.example.com/livekit', page('https://meet.example.com')), 'ok');
  assert.equal(addressOf('ws://meet.example.com', page('https://meet.example.com')), 'insecure');
  assert.equal(addressOf('ws://10.0.0.5:7880', page('http://10.0.0.5:8000')), 'ok');
  assert.equal(addressOf('ws://localhost:7880', page('http://localhost:8000')), 'ok');
  assert.equal(addressOf('ws://127.0.0.1:7880', page('http://localhost:8000')), 'ok');
  assert.equal(addressOf('ws://localhost:7880', page('http://10.0.0.5:8000')), 'local');
  assert.equal(addressOf('wss://localhost:7880', page('https://meet.example.com')), 'local');
});

const UDP = 'candidate:1 1 udp 2130706431 203.0.113.5 7882 typ host generation 0';
const TCP = 'candidate:2 1 TCP 1671430143 203.0.113.5 7881 typ host tcptype passive';
const SRFLX = 'candidate:3 1 udp 1694498815 198.51.100.7 50000 typ srflx raddr 0.0.0.0 rport 0';
const RELAY = 'candidate:4 1 udp 41885439 203.0.113.5 30000 typ relay raddr 0.0.0.0 rport 0';

test('a candidate is read, and nothing else', () => {
  assert.deepEqual(candidateOf(`a=${TCP}`), { protocol: 'tcp', address: '203.0.113.5', port: 7881, type: 'host' });
  for (const other of ['', 'a=end-of-candidates', 'candidate:', 'candidate:1 1 udp x y z typ host']) assert.equal(candidateOf(other), null);
});

test('each path knows its own ways only', () => {
  const ways = { UDP, TCP, SRFLX, RELAY };
  const left = (/** @type {'local' | 'remote'} */ side) => PATHS.map((path) => Object.entries(ways).filter(([, line]) => belongs(path, side, line)).map(([name]) => name).join(' '));
  assert.deepEqual(left('local'), ['UDP SRFLX', 'TCP', 'RELAY', 'RELAY']);
  assert.deepEqual(left('remote'), ['UDP SRFLX', 'TCP', 'UDP SRFLX RELAY', 'UDP SRFLX RELAY']);
  assert.ok(PATHS.every((path) => belongs(path, 'local', '')), 'what ends them is passed on');
  const sdp = ['v=0', `a=${UDP}`, `a=${TCP}`, 'a=end-of-candidates', ''].join('\r\n');
  assert.equal(narrowed('tcp', 'remote', sdp), ['v=0', `a=${TCP}`, 'a=end-of-candidates', ''].join('\r\n'));
});

test('what a server finds by itself doesn’t count for another path', () => {
  assert.deepEqual(PATHS.map((path) => isOf(path, { local: 'host', protocol: 'udp' })), [true, false, false, false]);
  assert.deepEqual(PATHS.map((path) => isOf(path, { local: 'prflx', protocol: 'tcp' })), [false, true, true, true]);
  assert.deepEqual(PATHS.map((path) => isOf(path, { local: 'relay', protocol: 'udp' })), [false, false, true, true]);
  assert.ok(isOf('tcp', null));
});

test('each path has its own servers', () => {
  const turn = { urls: ['turn:meet.example.com:3478?transport=udp', 'turns:meet.example.com:443?transport=tcp'], username: 'u', credential: 'c' };
  const servers = [{ urls: 'stun:stun.example.com:3478' }, turn];
  assert.deepEqual(serversOf('udp', servers), [{ urls: ['stun:stun.example.com:3478'] }]);
  assert.deepEqual(serversOf('tcp', servers), []);
  assert.deepEqual(serversOf('turn-udp', servers), [{ ...turn, urls: turn.urls.slice(0, 1) }]);
  assert.deepEqual(serversOf('turn-tls', servers), [{ ...turn, urls: turn.urls.slice(1) }]);
  assert.deepEqual(PATHS.map((path) => hasRelay(['stun:a', ...turn.urls], path)), [false, false, true, true]);
  assert.equal(hasRelay(['turn:a?transport=tcp'], 'turn-udp'), false);
});

test('which addresses only a network of one’s own can have', () => {
  for (const one of ['10.1.2.3', '127.0.0.1', '172.16.0.1', '172.31.9.9', '192.168.1.20', '169.254.1.1', '100.64.0.1', '::1', 'fd00::2', 'fe80::1', '[fd00::2]']) assert.ok(isPrivate(one), one);
  for (const one of ['203.0.113.5', '172.15.0.1', '172.32.0.1', '192.169.0.1', '100.128.0.1', '2001:db8::1', '8.8.8.8']) assert.ok(!isPrivate(one), one);
});

test('the report names nobody’s address but the server’s', () => {
  const pair = { local: 'srflx', remote: 'host', protocol: 'udp', relay: null, rtt: 21.4 };
  const tried = /** @type {import('../../static/js/types').Tried[]} */ ([
    { path: 'udp', signal: 'ok', works: true, took: 312.2, candidates: PUBLIC, urls: ['turn:secret'], pair },
    { path: 'tcp', signal: 'ok', works: false, took: 8000.4, candidates: PUBLIC, urls: [], pair: null },
  ]);
  const browser = { agent: 'Browser/1', language: 'ru', page: 'https://meet.example.com', online: false };
  const text = report({ facts: { ...WELL, paths: only({ udp: 'ok' }) }, tried, socket: { rtt: 12.6, code: 4490 }, verdicts: ['fine (nobody): All is well.'], at: '2026-01-01T10:00:00Z', browser });
  assert.equal(text, `Sessions, connection test of 2026-01-01T10:00:00Z
- fine (nobody): All is well.

Browser: Browser/1 (ru, offline)
Page: https://meet.example.com
This server answers: ok
/ws: ok, 13 ms, closed with 4490
LiveKit as this server sees it: ok
LiveKit as this browser sees it: ok at wss://meet.example.com
udp: ok, connected in 312 ms, srflx to host by udp, 21 ms there and back
tcp: failed, given up after 8000 ms
turn-udp: none
turn-tls: none
LiveKit offers: 203.0.113.5:7882/udp host, 203.0.113.5:7881/tcp host
Microphone: ok; camera: ok; speaker: ok
`);
});
