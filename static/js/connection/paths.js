/**
 * The call by one path only: livekit-client's room as the session's own has it, of which the browser sees no other way.
 * livekit-client has no setting for that, so it is given, while it connects, a connection that leaves the others out.
 */

import { belongs, candidateOf, isOf, narrowed, serversOf, urlsOf } from './candidates.js';

const SIGNAL_WITHIN = 8_000;
const MEDIA_WITHIN = 8_000;
// What the server tells of its other ways may come a moment after the first one works.
const LINGER = 600;

/** @typedef {import('../types').Path} Path */
/** @typedef {import('../types').Tried} Tried */

/**
 * @param {Path} path
 * @param {string} url
 * @param {string} token
 * @param {() => void} signalled once LiveKit has answered
 * @returns {Promise<Tried>}
 */
export async function tryPath(path, url, token, signalled) {
  const { Room, RoomEvent, setLogLevel } = LivekitClient;
  setLogLevel('silent');
  const notes = new Notes(path);
  const room = new Room({ disconnectOnPageLeave: true });
  let signal = false;
  room.on(RoomEvent.SignalConnected, () => {
    signal = true;
    signalled();
  });
  const began = performance.now();
  const own = globalThis.RTCPeerConnection;
  globalThis.RTCPeerConnection = notes.connection(own);
  try {
    await room.connect(url, token, { maxRetries: 0, websocketTimeout: SIGNAL_WITHIN, peerConnectionTimeout: MEDIA_WITHIN });
    const took = performance.now() - began;
    await new Promise((resolve) => setTimeout(resolve, LINGER));
    const pair = await notes.pair();
    return { ...notes.told(), signal: 'ok', works: isOf(path, pair), took, pair };
  } catch (error) {
    return { ...notes.told(), signal: signal ? 'ok' : reasonOf(error), works: false, took: performance.now() - began, pair: null };
  } finally {
    globalThis.RTCPeerConnection = own;
    await room.disconnect().catch(() => {});
  }
}

/** @param {any} error of `connect` @returns {Tried['signal']} */
function reasonOf(error) {
  const { ConnectionErrorReason } = LivekitClient;
  switch (error?.reason) {
    case ConnectionErrorReason.NotAllowed:
      return 'refused';
    case ConnectionErrorReason.ServerUnreachable:
    case ConnectionErrorReason.WebSocket:
    case ConnectionErrorReason.Timeout:
    case ConnectionErrorReason.Cancelled:
      return 'unreachable';
    default:
      return 'failed';
  }
}

/** What the server offers, and which connection uses it. */
class Notes {
  #path;
  /** @type {Set<string>} candidates of the server, of all paths */
  #lines = new Set();
  /** @type {Set<string>} addresses of its STUN and TURN servers */
  #urls = new Set();
  /** @type {RTCPeerConnection[]} */
  #made = [];

  /** @param {Path} path */
  constructor(path) {
    this.#path = path;
  }

  told() {
    const candidates = [...this.#lines].map(candidateOf).filter((one) => one !== null);
    return { path: this.#path, candidates, urls: [...this.#urls] };
  }

  /** @returns {Promise<Tried['pair']>} the way that is used; null where the browser doesn't tell */
  async pair() {
    for (const connection of this.#made.filter(({ connectionState }) => connectionState === 'connected')) {
      const stats = /** @type {any[]} */ ([...(await connection.getStats()).values()]);
      const find = (/** @type {string} */ id) => stats.find((one) => one.id === id);
      const chosen = find(stats.find(({ type }) => type === 'transport')?.selectedCandidatePairId);
      const pair = chosen ?? stats.find((one) => one.type === 'candidate-pair' && one.nominated && one.state === 'succeeded');
      const [local, remote] = [find(pair?.localCandidateId), find(pair?.remoteCandidateId)];
      if (!local || !remote) continue;
      const rtt = pair.currentRoundTripTime === undefined ? null : pair.currentRoundTripTime * 1000;
      const relay = local.candidateType === 'relay' ? (local.relayProtocol ?? null) : null;
      return { local: local.candidateType, remote: remote.candidateType, protocol: local.protocol, relay, rtt };
    }
    return null;
  }

  /** @param {RTCConfiguration | undefined} config @returns {RTCConfiguration} */
  #narrow(config = {}) {
    for (const server of config.iceServers ?? []) for (const url of urlsOf(server)) this.#urls.add(url);
    const iceServers = serversOf(this.#path, config.iceServers ?? []);
    return { ...config, iceServers, iceTransportPolicy: this.#path.startsWith('turn') ? 'relay' : 'all' };
  }

  /**
   * @param {typeof RTCPeerConnection} Own the browser's
   * @returns {typeof RTCPeerConnection} one that only knows the path, and leaves notes of all others
   */
  connection(Own) {
    const path = this.#path;
    const lines = this.#lines;
    const narrow = (/** @type {RTCConfiguration | undefined} */ config) => this.#narrow(config);
    const local = (/** @type {RTCSessionDescriptionInit} */ { type, sdp = '' }) => ({ type, sdp: narrowed(path, 'local', sdp) });
    const made = this.#made;
    return class extends Own {
      /** @type {RTCPeerConnection['onicecandidate']} */
      #take = null;

      /** @param {RTCConfiguration} [config] */
      constructor(config) {
        super(narrow(config));
        made.push(this);
        super.onicecandidate = (event) => {
          if (!event.candidate || belongs(path, 'local', event.candidate.candidate)) this.#take?.call(this, event);
        };
      }

      get onicecandidate() {
        return this.#take;
      }

      set onicecandidate(take) {
        this.#take = take;
      }

      /** @param {RTCConfiguration} [config] */
      setConfiguration(config) {
        super.setConfiguration(narrow(config));
      }

      /** Later ones name what was gathered by then. @param {any} [options] @returns {Promise<any>} */
      async createOffer(options) {
        return local(await super.createOffer(options));
      }

      /** @param {any} [options] @returns {Promise<any>} */
      async createAnswer(options) {
        return local(await super.createAnswer(options));
      }

      /** @param {any} candidate */
      async addIceCandidate(candidate) {
        const line = candidate?.candidate ?? '';
        if (line) lines.add(line);
        if (belongs(path, 'remote', line)) await super.addIceCandidate(candidate);
      }

      /** @param {any} description */
      async setRemoteDescription(description) {
        const sdp = description.sdp ?? '';
        for (const line of sdp.split('\r\n')) if (line.startsWith('a=candidate:')) lines.add(line.slice(2));
        await super.setRemoteDescription({ type: description.type, sdp: narrowed(path, 'remote', sdp) });
      }
    };
  }
}
