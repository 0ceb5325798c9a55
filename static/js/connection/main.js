/** The connection test's entry: tries what a meeting needs, says whose fault it is when it fails, and writes a report. */

import { ApiError, post } from '../lib/api.js';
import { find } from '../lib/dom.js';
import { t } from '../lib/words.js';
import { tryCall } from './call.js';
import { CameraTest, MicrophoneTest, SpeakerTest } from './devices.js';
import { show } from './lines.js';
import { report } from './report.js';
import { SAYINGS } from './sayings.js';
import { probe } from './socket.js';
import { verdicts } from './verdict.js';

/** @typedef {import('../types').Facts} Facts */
/** @typedef {import('./call.js').CallPass} CallPass */

const MOST_VERDICTS = 2;
const NETWORK = ['server', 'socket', 'call', 'udp', 'tcp', 'turn-udp', 'turn-tls'];

/** @returns {Facts} of nothing that was tried yet */
function fresh() {
  return {
    webrtc: true,
    server: 'untested',
    call: 'ok',
    address: 'ok',
    host: '',
    socket: 'untested',
    signal: 'untested',
    paths: { udp: 'untested', tcp: 'untested', 'turn-udp': 'untested', 'turn-tls': 'untested' },
    addresses: [],
    microphone: 'untested',
    camera: 'untested',
    speaker: 'untested',
  };
}

class ConnectionTest {
  #facts = fresh();
  /** @type {import('../types').Tried[]} */
  #tried = [];
  /** @type {{ rtt: number | null, code: number | null }} */
  #socket = { rtt: null, code: null };
  #button = find('[data-start]');
  #running = false;

  constructor() {
    this.#button.addEventListener('click', () => void this.#run());
    find('[data-copy-report]').addEventListener('click', () => void this.#copy());
    const tell = (/** @type {'microphone' | 'camera' | 'speaker'} */ name, /** @type {import('../types').DeviceResult} */ result) => {
      this.#facts[name] = result;
      if (!this.#running) this.#conclude();
    };
    new MicrophoneTest(tell);
    new CameraTest(tell);
    new SpeakerTest(tell);
    // A click that came before this script would have been lost.
    for (const button of document.querySelectorAll('[data-start], [data-try]')) button.removeAttribute('disabled');
  }

  async #run() {
    if (this.#running) return;
    this.#running = true;
    this.#button.setAttribute('aria-disabled', 'true');
    const { microphone, camera, speaker } = this.#facts;
    this.#facts = { ...fresh(), microphone, camera, speaker };
    this.#tried = [];
    this.#socket = { rtt: null, code: null };
    for (const name of NETWORK) show(name, 'waiting', t('Not tried yet.'));
    this.#say('running', [[t('Testing…'), t('This takes up to a minute where something is blocked.')]]);
    try {
      await this.#tryAll();
    } finally {
      this.#running = false;
      this.#button.removeAttribute('aria-disabled');
      find('[data-start-text]').textContent = t('Test again');
    }
    this.#conclude();
  }

  async #tryAll() {
    show('server', 'running', t('Asking…'));
    const began = performance.now();
    const pass = await this.#pass();
    if (!pass) return;
    show('server', 'ok', t('Answers, in {time} ms.', { time: Math.round(performance.now() - began) }));
    await Promise.all([this.#trySocket(pass.probe), tryCall(pass.call, this.#facts).then((tried) => (this.#tried = tried))]);
  }

  /** @returns {Promise<{ probe: { url: string, token: string }, call: CallPass | null } | null>} null when the server gives none */
  async #pass() {
    try {
      const pass = await post(location.pathname);
      this.#facts.server = 'ok';
      return pass;
    } catch (error) {
      this.#facts.server = serverOf(error);
      show('server', 'failed', error instanceof ApiError ? error.message : t('It can’t be reached.'));
      for (const name of NETWORK.slice(1)) show(name, 'skipped', t('Not tried.'));
      return null;
    }
  }

  /** @param {{ url: string, token: string }} pass */
  async #trySocket(pass) {
    show('socket', 'running', t('Connecting…'));
    const timed = (/** @type {number} */ rtt) => Math.max(1, Math.round(rtt));
    const { result, rtt, code } = await probe(pass, (one) => show('socket', 'running', t('{time} ms there and back; does it stay open?', { time: timed(one) })));
    this.#facts.socket = result;
    this.#socket = { rtt, code };
    if (rtt !== null && result === 'ok') show('socket', 'ok', t('Works: {time} ms there and back, and it stays open.', { time: timed(rtt) }));
    if (result === 'blocked') show('socket', 'failed', t('It doesn’t open.'));
    if (result === 'cut') show('socket', 'failed', t('It opened, and then broke.'));
    if (result === 'mangled') show('socket', 'failed', t('What comes back isn’t what was sent.'));
  }

  /** Says what is wrong, and writes the report. */
  #conclude() {
    const found = verdicts(this.#facts);
    const said = found.map(({ code, values }) => SAYINGS[code](values));
    this.#say(found.some(({ blame }) => blame !== 'nobody') ? 'wrong' : found[0].code.startsWith('fine') ? 'fine' : 'waiting', said.slice(0, MOST_VERDICTS));
    const box = /** @type {HTMLTextAreaElement} */ (find('[data-report-text]'));
    box.value = report({
      facts: this.#facts,
      tried: this.#tried,
      socket: this.#socket,
      verdicts: found.map(({ code, blame }, place) => `${code} (${blame}): ${said[place].join(' ')}`),
      at: new Date().toISOString(),
      browser: { agent: navigator.userAgent, language: navigator.language, page: location.origin, online: navigator.onLine },
    });
    find('[data-report]').hidden = false;
  }

  /**
   * @param {string} standing
   * @param {[string, string][]} said
   */
  #say(standing, said) {
    const box = find('[data-verdict]');
    box.dataset.standing = standing;
    box.replaceChildren(...said.flatMap(([what, advice]) => [element('h2', what), element('p', advice)]));
  }

  /** Some browsers refuse the clipboard: the text is selected then, for a key or a long press. */
  async #copy() {
    const box = /** @type {HTMLTextAreaElement} */ (find('[data-report-text]'));
    const told = find('[data-copied]');
    try {
      await navigator.clipboard.writeText(box.value);
      told.textContent = t('Copied.');
    } catch {
      box.focus();
      box.select();
      told.textContent = t('It is selected: copy it with Ctrl+C, or by a long press.');
    }
  }
}

/** @param {unknown} error @returns {Facts['server']} */
function serverOf(error) {
  if (!(error instanceof ApiError)) return 'away';
  if (error.status === 429) return 'limited';
  return [401, 403, 404].includes(error.status) ? 'refused' : 'failed';
}

/**
 * @param {'h2' | 'p'} kind
 * @param {string} text
 */
function element(kind, text) {
  const made = document.createElement(kind);
  made.textContent = text;
  return made;
}

new ConnectionTest();
