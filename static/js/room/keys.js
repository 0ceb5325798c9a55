/**
 * The room's single keys: letters that press the buttons which name them, and space, which talks while it is held down.
 *
 * People type where they look, and now and then the focus isn't there. A sentence that goes nowhere must not switch on a
 * microphone, a camera or a screen, so that letters act only when they aren't text:
 * - not for a moment after a panel was opened, clicked into or left by Tab, while somebody looks for its field;
 * - not within a run of different keys;
 * - and what opens something, or is shown to all, waits until no other key has followed.
 * In the chat's panel what is typed goes to its field. All of it can be turned off, but for Escape.
 */

import { find, isTyping } from '../lib/dom.js';
import { keep, recall } from '../lib/kept.js';

// How long the eyes take to see that the cursor is elsewhere: two or three words are typed by then, and a run holds longer.
const SETTLING = 1_500;
// Between two letters of a word people take 100 to 300 ms; two shortcuts in a row are further apart.
const RUN = 400;
// A space between two words is held down for about 100 ms.
const HELD = 250;
const CHOICE = 'single-keys';

export class Keys {
  #state;
  #actions;
  #choice = /** @type {HTMLInputElement} */ (find('[data-single-keys]'));
  /** When letters may act again, in milliseconds of the page's clock. */
  #settledAt = 0;
  /** The last key that types something, when it came, and whether it belonged to a run. */
  #last = { key: '', at: -Infinity, run: false };
  /** @type {{ key: string, timer: ReturnType<typeof setTimeout> | undefined }} The grave act that waits for no other key to follow. */
  #waiting = { key: '', timer: undefined };
  /** Space is down, and will talk if it stays so. */
  #held = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);
  #talking = false;

  /**
   * @param {import('./state.js').State} state
   * @param {import('./actions.js').Actions} actions
   */
  constructor(state, actions) {
    this.#state = state;
    this.#actions = actions;
    this.#choice.checked = recall(CHOICE) !== 'off';
    this.#choice.addEventListener('change', () => {
      keep(CHOICE, this.#choice.checked ? 'on' : 'off');
      this.#tell();
    });
    this.#tell();
    document.addEventListener('keydown', (event) => this.#down(event));
    document.addEventListener('keyup', (event) => event.key === ' ' && this.#release());
    window.addEventListener('blur', () => this.#release());
    document.addEventListener('pointerdown', ({ target }) => target instanceof Element && target.closest('.side') && this.#settle());
    state.follow(
      ({ view }) => view.panel,
      (panel) => panel && this.#settle(),
    );
  }

  /** Somebody looks for a place to type: letters don't act for a moment. */
  #settle() {
    this.#settledAt = performance.now() + SETTLING;
    this.#cancel();
  }

  /** Assistive technology reads out which keys there are: only those that act. */
  #tell() {
    for (const button of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('[aria-keyshortcuts], [data-keys]'))) {
      button.dataset.keys ??= button.getAttribute('aria-keyshortcuts') ?? '';
      if (this.#choice.checked) button.setAttribute('aria-keyshortcuts', button.dataset.keys);
      else button.removeAttribute('aria-keyshortcuts');
    }
  }

  /** @param {KeyboardEvent} event */
  #down(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || find('#room').dataset.state !== 'joined') return;
    const run = this.#note(event);
    if (document.querySelector('dialog[open], [popover]:popover-open')) return;
    if (event.key === 'Escape') return void (document.fullscreenElement || this.#actions.post('close-panel'));
    if (event.key === 'Tab') return this.#settle();
    if (isTyping(event.target) || event.repeat || this.#toChat(event)) return;
    if (!this.#choice.checked || performance.now() < this.#settledAt) return;
    if (event.key === ' ') return this.#hold(event);
    if (run) return;
    const letter = letterOf(event);
    const buttons = /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll('[data-keys]'));
    const button = [...buttons].find(({ dataset }) => dataset.keys === letter);
    if (!button) return;
    event.preventDefault();
    if (!button.disabled && !button.hidden) this.#press(letter, button);
  }

  /**
   * @param {KeyboardEvent} event
   * @returns {boolean} whether the key belongs to a run, which is text. The same key twice is none: on, and off again.
   */
  #note({ key, repeat, timeStamp }) {
    if (repeat || [...key].length !== 1) return false;
    const near = timeStamp - this.#last.at < RUN;
    const run = near && (this.#last.run || key !== this.#last.key);
    this.#last = { key, at: timeStamp, run };
    if (run) this.#cancel();
    return run;
  }

  /** @param {KeyboardEvent} event @returns {boolean} whether it is typed into the chat's field */
  #toChat({ key, target }) {
    if (!(target instanceof Element && target.closest('.side.chat')) || [...key].length !== 1 || key === ' ') return false;
    find('[data-chat-text]').focus();
    return true;
  }

  /**
   * @param {string} letter
   * @param {HTMLButtonElement} button whose `data-grave` says that it opens something, or is shown to all once it is on
   */
  #press(letter, button) {
    const grave = button.dataset.grave !== undefined && button.getAttribute('aria-pressed') !== 'true';
    const act = () => button.disabled || this.#actions.press(button);
    const again = this.#waiting.timer !== undefined && this.#waiting.key === letter;
    this.#cancel();
    if (again) return; // on, and off again
    if (!grave) return act();
    const timer = setTimeout(() => {
      this.#cancel();
      act();
    }, RUN);
    this.#waiting = { key: letter, timer };
  }

  #cancel() {
    clearTimeout(this.#waiting.timer);
    this.#waiting = { key: '', timer: undefined };
    clearTimeout(this.#held);
    this.#held = undefined;
  }

  /** Held down it talks; on a button it is that button's own key. @param {KeyboardEvent} event */
  #hold(event) {
    if (event.target instanceof Element && event.target.closest('button, a, summary, .side-scroll')) return;
    event.preventDefault();
    if (this.#state.me.microphone.isOn) return;
    this.#held = setTimeout(() => {
      this.#talking = true;
      this.#actions.post('microphone', { on: true });
    }, HELD);
  }

  #release() {
    clearTimeout(this.#held);
    this.#held = undefined;
    if (this.#talking) this.#actions.post('microphone', { on: false });
    this.#talking = false;
  }
}

/**
 * @param {KeyboardEvent} event
 * @returns {string} in lower case; of a keyboard that writes another alphabet, the Latin letter on the same key
 */
function letterOf({ key, code }) {
  const latin = /^Key([A-Z])$/.exec(code)?.[1];
  return (latin && /^[^\x00-\x7f]$/.test(key) ? latin : key).toLowerCase();
}
