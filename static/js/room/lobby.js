/** What stands before the room: a look at oneself, a word into the microphone, and the click that joins. */

import { ApiError, reasonOf } from '../lib/api.js';
import { find } from '../lib/dom.js';
import { keep, recall } from '../lib/kept.js';
import { t } from '../lib/words.js';
import { viewOf } from './camera.js';
import { focusRoom } from './focus.js';
import { isRefusal } from './refusal.js';

const ASK_EVERY = 2_500;
const MICROPHONE = 'microphone-on';
const CAMERA = 'camera-on';

/** @typedef {import('../types').Ticket} Ticket */
/** @typedef {{ microphone: boolean, camera: boolean }} Wish */

export class Lobby {
  #root = find('[data-lobby]');
  #problem = find('[data-lobby-problem]');
  #primary = /** @type {HTMLButtonElement} */ (find('[data-join="wish"]'));
  #listen = /** @type {HTMLButtonElement} */ (find('[data-join="listen"]'));
  #mic = /** @type {HTMLButtonElement} */ (find('[data-lobby-mic]'));
  #camera = /** @type {HTMLButtonElement} */ (find('[data-lobby-camera]'));
  #meter = /** @type {HTMLMeterElement} */ (find('[data-lobby-meter]'));
  #hint = find('[data-lobby-hint]');
  /** What it shows and asks of being transcribed, for the server. */
  #door = /** @type {HTMLFormElement} */ (find('[data-door]'));
  #state;
  #actions;
  #api;
  #equipment;
  /** @type {Wish} what joining will turn on */
  #wish = { microphone: recall(MICROPHONE) !== 'off', camera: recall(CAMERA) === 'on' };
  /** @type {Set<keyof Wish>} devices that are being opened or closed */
  #turning = new Set();
  #joining = false;

  /**
   * @param {import('./state.js').State} state
   * @param {import('./actions.js').Actions} actions
   * @param {import('./api.js').RoomApi} api
   * @param {import('./equipment.js').Equipment} equipment
   */
  constructor(state, actions, api, equipment) {
    this.#state = state;
    this.#actions = actions;
    this.#api = api;
    this.#equipment = equipment;
    state.follow(
      ({ me }) => me.camera.track,
      (track) => this.#picture(track && viewOf(track)),
    );
    state.on(['notices'], ({ notices }) => this.#warn(notices.microphone ?? notices.camera ?? notices.silent));
    state.when('level', (level) => (this.#meter.value = level));
    this.#mic.addEventListener('click', () => this.#toggle('microphone'));
    this.#camera.addEventListener('click', () => this.#toggle('camera'));
    this.#primary.addEventListener('click', () => this.#try(this.#wish));
    this.#listen.addEventListener('click', () => this.#try({ microphone: false, camera: false }));
    this.#draw();
    // Off until now: a click that came before this script would have been lost.
    this.#busy(false);
    void this.#preview();
  }

  /** @param {HTMLElement | null} view of the own camera */
  #picture(view) {
    find('[data-preview]').replaceChildren(...(view ? [view] : []));
    find('[data-preview-off]').hidden = view !== null;
  }

  /** @param {import('../types').Notice | null} notice what is wrong with microphone or camera */
  #warn(notice) {
    this.#hint.textContent = notice?.text ?? '';
    this.#hint.hidden = !notice;
  }

  /**
   * The browser's questions and our request run side by side; the room opens without waiting for the answers.
   * @param {Wish} wish
   */
  async #join(wish) {
    const prepared = this.#equipment.prepare(wish);
    const ticket = await this.#admitted().catch((error) => this.#turnedAway(error));
    if (!ticket) return;
    this.#leave();
    this.#state.set('me', { person: ticket.you, consent: ticket.consent });
    this.#state.set('session', ticket.session);
    this.#state.happen('joined', ticket);
    await prepared;
  }

  /**
   * @param {unknown} error
   * @returns {null} when another page says it all; throws what the lobby should show
   */
  #turnedAway(error) {
    this.#equipment.stop();
    if (!(error instanceof ApiError && (error.code === 'ended' || isRefusal(error.code)))) throw error;
    this.#state.happen('over', error.code);
    return null;
  }

  /**
   * Asks until somebody has answered the knock.
   * @returns {Promise<Ticket>} throws ApiError when refused
   */
  async #admitted() {
    for (;;) {
      const answer = await this.#api.join(fieldsOf(this.#door)).catch((error) => this.#whileWaiting(error));
      if (!('waiting' in answer)) return answer;
      this.#wait(true);
      this.#waitingFor(answer.hosts);
      await new Promise((resolve) => setTimeout(resolve, ASK_EVERY));
    }
  }

  /** The room takes the page over. */
  #leave() {
    this.#root.hidden = true;
    this.#wait(false);
    for (const part of document.querySelectorAll('[data-joined]')) part.removeAttribute('hidden');
    find('#room').dataset.state = 'joined';
    focusRoom();
  }

  /**
   * A hiccup doesn't end the waiting, a refusal does.
   * @param {unknown} error
   * @returns {import('../types').Waiting}
   */
  #whileWaiting(error) {
    const refused = error instanceof ApiError && error.status < 500 && error.status !== 429;
    if (refused || find('#room').dataset.state !== 'waiting') throw error;
    return { waiting: true };
  }

  /** @param {boolean} waiting */
  #wait(waiting) {
    find('#room').dataset.state = waiting ? 'waiting' : 'lobby';
    find('[data-lobby-ready]').hidden = waiting;
    find('[data-lobby-waiting]').hidden = !waiting;
  }

  /** @param {number | undefined} hosts in the room; undefined: not known, what was said stays */
  #waitingFor(hosts) {
    const words = find('[data-lobby-waiting-words]');
    const says = hosts
      ? t('A host is here and sees that you knock. You join by yourself as soon as you are let in.')
      : t('No host is here at the moment. Keep this page open: you join as soon as one comes and lets you in.');
    if (hosts !== undefined && words.textContent !== says) words.textContent = says;
  }

  async #preview() {
    const devices = /** @type {const} */ (['microphone', 'camera']);
    for (const device of devices) {
      // Before the first click nobody is asked: only what the browser allows already is turned on.
      if (this.#wish[device] && (await isAllowed(device))) void this.#turn(device, true);
    }
  }

  /** @param {keyof Wish} device */
  async #toggle(device) {
    const button = device === 'microphone' ? this.#mic : this.#camera;
    const on = button.getAttribute('aria-pressed') !== 'true';
    await this.#turn(device, on);
    keep(device === 'microphone' ? MICROPHONE : CAMERA, on ? 'on' : 'off');
  }

  /**
   * @param {keyof Wish} device
   * @param {boolean} on
   */
  async #turn(device, on) {
    // Nothing turns itself on after the choice to only listen.
    if (this.#turning.has(device) || this.#joining) return;
    this.#turning.add(device);
    const isOn = await this.#actions.post(device, { on });
    this.#turning.delete(device);
    this.#wish[device] = isOn;
    const button = device === 'microphone' ? this.#mic : this.#camera;
    button.setAttribute('aria-pressed', String(isOn));
    this.#draw();
  }

  /** @param {Wish} wish */
  async #try(wish) {
    if (!this.#door.reportValidity()) return;
    this.#busy(true);
    this.#joining = true;
    this.#problem.hidden = true;
    try {
      await this.#join(wish);
    } catch (error) {
      this.#joining = false;
      this.#wait(false);
      this.#problem.textContent = reasonOf(error);
      this.#problem.hidden = false;
      for (const button of [this.#mic, this.#camera]) button.setAttribute('aria-pressed', 'false');
      this.#draw();
      this.#busy(false);
    }
  }

  /** The button says what joining will turn on. */
  #draw() {
    const { microphone, camera } = this.#wish;
    find('[data-join-text]').textContent = joinWords(microphone, camera);
    this.#primary.dataset.microphone = String(microphone);
    this.#listen.hidden = !microphone && !camera;
    find('[data-lobby-mic-text]').textContent = pressed(this.#mic) ? t('Microphone is on') : t('Microphone is off');
    find('[data-lobby-camera-text]').textContent = pressed(this.#camera) ? t('Camera is on') : t('Camera is off');
    if (!pressed(this.#mic)) this.#meter.value = 0;
  }

  /** @param {boolean} busy */
  #busy(busy) {
    for (const button of [this.#primary, this.#listen, this.#mic, this.#camera]) button.disabled = busy;
  }
}

/** @param {HTMLFormElement} form of text alone */
function fieldsOf(form) {
  return new URLSearchParams(/** @type {any} */ (new FormData(form)));
}

/** @param {Element} button */
function pressed(button) {
  return button.getAttribute('aria-pressed') === 'true';
}

/**
 * @param {boolean} microphone
 * @param {boolean} camera
 */
function joinWords(microphone, camera) {
  if (microphone) return camera ? t('Join with microphone and camera') : t('Join with microphone');
  return camera ? t('Join with camera, muted') : t('Join and listen only');
}

/**
 * @param {'microphone' | 'camera'} name
 * @returns {Promise<boolean>} whether the device opens without a question
 */
async function isAllowed(name) {
  try {
    const { state } = await navigator.permissions.query({ name: /** @type {PermissionName} */ (name) });
    return state === 'granted';
  } catch {
    return false;
  }
}
