/** The probe of `/ws`, docs/protocol.md: whether it opens, brings everything back as it was, and stays open. */

const SUBPROTOCOL = 'sessions.probe.v1';
const END = 'end';
const CLOSE_END = 4490;
const OPENS_WITHIN = 8_000;
const ANSWERS_WITHIN = 4_000;
const QUICK = 6;
const EVERY = 250;
const LASTS = 5_000;
// As a frame of 40 ms, and as the longest there is.
const USUAL = 1_288;
const LONGEST = 3_208;

/** @typedef {{ result: 'ok' | 'blocked' | 'cut' | 'mangled', rtt: number | null, code: number | null }} Probed `rtt` in milliseconds */

/**
 * @param {{ url: string, token: string }} pass
 * @param {(rtt: number) => void} tell the round trip, once it is known
 * @returns {Promise<Probed>}
 */
export async function probe({ url, token }, tell) {
  const line = new Line(url, token);
  try {
    if (!(await line.opened())) return { result: 'blocked', rtt: null, code: line.code };
    /** @type {number[]} */
    const times = [];
    for (let n = 0; n < QUICK; n += 1) times.push(await line.echo(n % 2 ? USUAL : LONGEST));
    const rtt = times.sort((a, b) => a - b)[QUICK / 2];
    tell(rtt);
    for (const until = performance.now() + LASTS; performance.now() < until; await later(EVERY)) await line.echo(USUAL);
    await line.end();
    // Each close code is a sentence in the room: one that was lost on the way is no good.
    return { result: line.code === CLOSE_END ? 'ok' : 'mangled', rtt, code: line.code };
  } catch (error) {
    return { result: error instanceof Mangled ? 'mangled' : 'cut', rtt: null, code: line.code };
  } finally {
    line.close();
  }
}

class Mangled extends Error {}

/** One socket, of which one thing is asked at a time. */
class Line {
  /** @type {number | null} with which it was closed */
  code = null;
  #socket;
  /** @type {((event: MessageEvent | CloseEvent | Event) => void) | null} */
  #waiting = null;

  /**
   * @param {string} url
   * @param {string} token
   */
  constructor(url, token) {
    this.#socket = new WebSocket(url, [SUBPROTOCOL, token]);
    this.#socket.binaryType = 'arraybuffer';
    for (const name of ['open', 'message', 'close']) {
      this.#socket.addEventListener(name, (event) => {
        if (event instanceof CloseEvent) this.code = event.code;
        this.#waiting?.(event);
      });
    }
  }

  async opened() {
    const event = await this.#next(OPENS_WITHIN);
    return event?.type === 'open';
  }

  /**
   * @param {number} size in bytes
   * @returns {Promise<number>} milliseconds until it was back; throws when it isn't, or isn't what it was
   */
  async echo(size) {
    const sent = crypto.getRandomValues(new Uint8Array(size));
    const began = performance.now();
    this.#socket.send(sent);
    const event = await this.#next(ANSWERS_WITHIN);
    if (!(event instanceof MessageEvent)) throw new Error('no answer');
    const back = event.data instanceof ArrayBuffer ? new Uint8Array(event.data) : new Uint8Array();
    if (back.length !== size || back.some((byte, at) => byte !== sent[at])) throw new Mangled();
    return performance.now() - began;
  }

  async end() {
    this.#socket.send(END);
    await this.#next(ANSWERS_WITHIN);
  }

  close() {
    this.#waiting = null;
    this.#socket.close();
  }

  /**
   * @param {number} within milliseconds
   * @returns {Promise<Event | null>} what happens next; null when nothing does, or nothing can any more
   */
  #next(within) {
    if (this.code !== null) return Promise.resolve(null);
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(null), within);
      this.#waiting = (event) => {
        clearTimeout(timer);
        resolve(event);
      };
    });
  }
}

/** @param {number} ms */
function later(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
