/** The chat: kept with the session, read by who comes late. */

import { find, paint, stamp } from '../lib/dom.js';
import { pieces } from '../lib/text.js';
import { LOCALE, t } from '../lib/words.js';

const NEAR_BOTTOM = 64;
// A line comes back within moments. One that doesn't was lost with the connection, or refused.
const ECHO_TIMEOUT_MS = 8_000;
const REPLAYED_WITHIN = 1_000;
const TOASTED = 120; // characters
const time = new Intl.DateTimeFormat(LOCALE, { timeStyle: 'short' });

/** @typedef {import('../types').ChatLine} ChatLine */
/** @typedef {{ text: string, element: HTMLElement, timer: ReturnType<typeof setTimeout> }} Pending */

export class Chat {
  #list = find('[data-chat-lines]');
  #scroll = find('[data-chat-scroll]');
  #empty = find('[data-chat-empty]');
  #form = /** @type {HTMLFormElement} */ (find('[data-chat-form]'));
  #field = /** @type {HTMLTextAreaElement} */ (find('[data-chat-text]'));
  #state;
  #actions;
  /** @type {Set<number>} */
  #ids = new Set();
  /** @type {Pending[]} own lines on their way */
  #pending = [];

  /**
   * @param {import('./state.js').State} state
   * @param {import('./actions.js').Actions} actions
   */
  constructor(state, actions) {
    this.#state = state;
    this.#actions = actions;
    state.when('chat', (line) => this.#show(line));
    state.when('chatRefused', () => this.#refused());
    state.follow(
      ({ view }) => view.panel === 'chat',
      (open) => open && this.#read(),
    );
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#field.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#submit();
    });
  }

  /** The panel was opened: nothing is unread any more. */
  #read() {
    this.#state.set('view', { unread: 0 });
    this.#scroll.scrollTop = this.#scroll.scrollHeight;
  }

  /** @param {ChatLine} line */
  #show(line) {
    if (this.#ids.has(line.id)) return;
    this.#ids.add(line.id);
    const { me, view, session } = this.#state;
    const mine = line.identity === me.person.identity;
    if (mine) this.#arrived(line.text);
    this.#place(draw(line));
    if (view.panel === 'chat' || mine) return;
    this.#state.set('view', { unread: view.unread + 1 });
    // What was written while we weren't connected comes at once, and is no news.
    if (performance.now() - session.welcomedAt < REPLAYED_WITHIN) return;
    this.#state.toast(`${line.name}: ${line.text.slice(0, TOASTED)}`, { label: t('Open chat'), act: 'open-chat' }, 'chat');
  }

  /** The server took no more lines for now: the newest one was not kept. */
  #refused() {
    const newest = this.#pending.at(-1);
    if (newest) this.#fail(newest);
  }

  #submit() {
    const text = this.#field.value.trim();
    if (text && this.#post(text)) this.#field.value = '';
  }

  /** @param {string} text */
  #post(text) {
    if (!this.#actions.post('chat', { text })) return false;
    const element = stamp('[data-chat-template]');
    element.classList.add('mine', 'pending');
    find('.at', element).textContent = t('sending…');
    fill(find('.chat-text', element), text);
    /** @type {Pending} */
    const pending = { text, element, timer: setTimeout(() => this.#fail(pending), ECHO_TIMEOUT_MS) };
    this.#pending.push(pending);
    this.#place(element);
    this.#scroll.scrollTop = this.#scroll.scrollHeight;
    return true;
  }

  /** @param {string} text */
  #arrived(text) {
    const pending = this.#pending.find((one) => one.text === text);
    if (pending) this.#forget(pending);
  }

  /** @param {Pending} pending */
  #forget(pending) {
    clearTimeout(pending.timer);
    pending.element.remove();
    this.#pending = this.#pending.filter((one) => one !== pending);
  }

  /** @param {Pending} pending */
  #fail(pending) {
    clearTimeout(pending.timer);
    find('.at', pending.element).textContent = t('not sent');
    pending.element.classList.add('failed');
    const again = document.createElement('button');
    again.type = 'button';
    again.className = 'text-button';
    again.textContent = t('Send again');
    again.addEventListener('click', () => this.#post(pending.text) && this.#forget(pending));
    if (!pending.element.querySelector('button')) pending.element.append(again);
  }

  /** Lines on their way stay last. @param {HTMLElement} element */
  #place(element) {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroll;
    const following = scrollHeight - scrollTop - clientHeight < NEAR_BOTTOM;
    const waiting = element.classList.contains('pending') ? null : (this.#pending[0]?.element ?? null);
    this.#list.insertBefore(element, waiting);
    this.#empty.hidden = true;
    if (following) this.#scroll.scrollTop = this.#scroll.scrollHeight;
  }
}

/** @param {ChatLine} line */
function draw(line) {
  const element = stamp('[data-chat-template]');
  element.dataset.chat = String(line.id);
  paint(element, line.hue);
  find('.name', element).textContent = line.name;
  find('.guest', element).hidden = line.role !== 'GUEST';
  find('.at', element).textContent = time.format(new Date(line.at));
  fill(find('.chat-text', element), line.text);
  return element;
}

/**
 * Text with its addresses as links.
 * @param {HTMLElement} element
 * @param {string} text
 */
function fill(element, text) {
  for (const piece of pieces(text)) {
    if (!piece.isAddress) {
      element.append(piece.text);
      continue;
    }
    const link = document.createElement('a');
    link.href = link.textContent = piece.text;
    link.target = '_blank';
    link.rel = 'noopener noreferrer nofollow';
    link.dir = 'ltr';
    element.append(link);
  }
}
