/**
 * Plays what people said: a line from where its words begin to where they end, then the next one, and so on.
 *
 * Which file has a line, and where in it, stands in its `data-sound`. Each line that has one gets a button here, so that
 * without scripts there is none.
 */

import { find, stamp } from '../lib/dom.js';
import { t } from '../lib/words.js';

const HEARING = 'hearing';
const KIND = 'audio/ogg; codecs=opus';
// Seconds between two lines of one file that are played through: shorter than any answer.
const GAP = 1.5;
const STEPS = { j: -1, l: 1 }; // keys, and which line is heard then
const TYPED = 'input, textarea, select, audio, [contenteditable]'; // where a letter is one
const CONTROLS = `${TYPED}, button, a, summary`; // what a space bar is for

/** @typedef {{ recording: string, from: number, until: number }} Sound */

/** @param {HTMLElement} line @returns {Sound} */
function soundOf(line) {
  const [recording, from, until] = (line.dataset.sound ?? '').split(' ');
  return { recording, from: Number(from), until: Number(until) };
}

/** @param {Element | null} time of a line @returns {HTMLElement | null} that line */
function lineOf(time) {
  return time instanceof HTMLAnchorElement && time.matches('#transcript .at') ? document.getElementById(time.hash.slice(1)) : null;
}

class Player {
  #bar = find('[data-player]');
  #sound = /** @type {HTMLAudioElement} */ (find('[data-player-sound]'));
  #toggle = find('[data-player-toggle]');
  #word = find('[data-player-word]');
  #problem = find('[data-player-problem]');
  #follow = find('[data-player-follow]');
  #lines = find('#transcript');
  /** @type {HTMLElement | null} the line that is heard */
  #line = null;
  /** the id of that line, should its element be replaced by a newer one of the same words */
  #id = '';
  /** Whether the page goes along; not any more once its reader has scrolled elsewhere. */
  #following = true;
  /** Whether the next line is still on its way into the page. */
  #waiting = false;
  /** Whether it stops where this line ends: who corrects it hears it again and again. */
  #alone = false;

  constructor() {
    this.#sound.addEventListener('timeupdate', () => this.#look());
    this.#sound.addEventListener('ended', () => this.#next());
    for (const kind of ['play', 'pause']) this.#sound.addEventListener(kind, () => this.#show());
    this.#sound.addEventListener('error', () => this.#fail());
    this.#toggle.addEventListener('click', () => this.#playOrPause());
    this.#follow.addEventListener('click', () => this.#goAlong());
    for (const one of this.#bar.querySelectorAll('[data-player-step]')) {
      one.addEventListener('click', () => this.#step(Number(/** @type {HTMLElement} */ (one).dataset.playerStep)));
    }
    find('[data-player-close]').addEventListener('click', () => this.#stop());
    const speed = /** @type {HTMLSelectElement} */ (find('[data-player-speed]'));
    speed.addEventListener('change', () => (this.#sound.playbackRate = this.#sound.defaultPlaybackRate = Number(speed.value)));
    this.#lines.addEventListener('click', ({ target }) => {
      const button = target instanceof Element ? target.closest('.hear') : null;
      if (button instanceof HTMLElement) this.#pressed(button);
    });
    this.#lines.addEventListener('focusin', ({ target }) => {
      if (target instanceof Element && target.matches('.at')) this.#reach(target);
    });
    for (const kind of ['wheel', 'touchmove']) window.addEventListener(kind, () => this.#away(), { passive: true });
    document.addEventListener('keydown', (event) => this.#key(event));
    document.addEventListener('line:hear', (event) => this.#hearAlone(/** @type {CustomEvent} */ (event).detail));
    new MutationObserver(() => this.#grown()).observe(this.#lines, { childList: true, subtree: true });
    this.#offer();
  }

  /** Gives each line that can be heard its button, once. */
  #offer() {
    for (const line of this.#lines.querySelectorAll('[data-sound]')) {
      if (line.querySelector('.hear')) continue;
      const button = stamp('[data-hear-template]');
      button.setAttribute('aria-label', t('Hear this line'));
      button.tabIndex = -1; // as with the times: see #reach
      line.prepend(button);
    }
    this.#lines.classList.toggle('with-sound', Boolean(this.#lines.querySelector('.hear')));
    this.#reach(this.#lines.querySelector('.at[tabindex="0"]'));
    tellMissing(this.#lines);
  }

  /**
   * Of all buttons one is a stop of the Tab key, beside the time that is one: see reading.js.
   * @param {Element | null} time
   */
  #reach(time) {
    const next = lineOf(time)?.querySelector('.hear');
    if (!(next instanceof HTMLElement)) return;
    for (const one of this.#lines.querySelectorAll('.hear[tabindex="0"]')) if (one instanceof HTMLElement) one.tabIndex = -1;
    next.tabIndex = 0;
  }

  #grown() {
    this.#offer();
    if (this.#line && !this.#line.isConnected) {
      const again = document.getElementById(this.#id);
      if (again) this.#be(again);
    }
    if (this.#waiting && this.#after()) this.#next();
  }

  /** @param {HTMLElement} button of a line */
  #pressed(button) {
    const line = /** @type {HTMLElement} */ (button.closest('[data-sound]'));
    if (line === this.#line) return this.#playOrPause();
    this.#from(line);
  }

  /** @param {HTMLElement} line is heard, and those after it */
  #from(line) {
    this.#following = true;
    this.#alone = false;
    this.#hear(line);
  }

  /** @param {HTMLElement} line is heard from its beginning, and no other after it */
  #hearAlone(line) {
    this.#following = false;
    this.#alone = true;
    this.#hear(line);
  }

  /** @param {number} by how many lines */
  #step(by) {
    const all = this.#audible();
    const line = this.#line && all[all.indexOf(this.#line) + by];
    if (line) this.#from(line);
  }

  /** @param {HTMLElement} line @param {boolean} [through] whether its file plays already, and just goes on */
  #hear(line, through = false) {
    this.#waiting = false;
    this.#be(line);
    this.#bar.hidden = false;
    this.#problem.hidden = true;
    const { recording, from } = soundOf(line);
    const address = `${this.#bar.dataset.audio}/${recording}`;
    const other = !this.#sound.src.endsWith(address);
    if (other) this.#sound.src = address;
    // Before its length is known, too: a browser goes there as soon as it can.
    if (other || !through) this.#sound.currentTime = from;
    if (this.#following) line.scrollIntoView({ block: 'nearest' });
    this.#sound.play().catch(() => this.#show());
  }

  /** @param {HTMLElement | null} line is the one that is heard */
  #be(line) {
    this.#line?.removeAttribute('aria-current');
    this.#line?.classList.remove(HEARING);
    this.#line = line;
    this.#id = line?.id ?? '';
    line?.setAttribute('aria-current', 'true');
    line?.classList.add(HEARING);
    const turn = line?.closest('.turn');
    find('[data-player-name]').textContent = turn?.querySelector('.turn-name .name')?.textContent ?? '';
    const time = line?.previousElementSibling;
    find('[data-player-at]').textContent = (time?.matches('.at') ? time : turn?.querySelector('.turn-name .at'))?.textContent ?? '';
    this.#show();
  }

  /** @returns {HTMLElement[]} the lines that can be heard, in order */
  #audible() {
    return [...this.#lines.querySelectorAll('[data-sound]')].filter((one) => one instanceof HTMLElement);
  }

  /** @returns {HTMLElement | undefined} the next line that can be heard */
  #after() {
    const all = this.#audible();
    return all[all.findIndex((line) => line === this.#line) + 1];
  }

  #look() {
    if (!this.#line || this.#sound.paused) return;
    if (this.#sound.currentTime >= soundOf(this.#line).until) this.#next();
  }

  #next() {
    if (!this.#line) return;
    const now = soundOf(this.#line);
    if (this.#alone) {
      this.#sound.pause();
      this.#sound.currentTime = now.from;
      return;
    }
    const line = this.#after();
    if (line) {
      const next = soundOf(line);
      const pause = next.from - now.until;
      return this.#hear(line, next.recording === now.recording && pause > -GAP && pause < GAP && !this.#sound.ended);
    }
    this.#sound.pause();
    // More of the transcript comes as its end is scrolled to.
    const more = this.#lines.querySelector('.more-lines [rel="next"]');
    this.#waiting = Boolean(more);
    if (more && this.#following) more.scrollIntoView({ block: 'nearest' });
  }

  #playOrPause() {
    if (!this.#line) return;
    if (!this.#sound.paused) return this.#sound.pause();
    this.#sound.play().catch(() => this.#show());
  }

  #goAlong() {
    this.#following = true;
    this.#line?.scrollIntoView({ block: 'center' });
    this.#show();
  }

  #away() {
    if (!this.#line || !this.#following) return;
    this.#following = false;
    this.#show();
  }

  #stop() {
    const line = this.#line;
    this.#waiting = false;
    this.#sound.pause();
    this.#be(null);
    this.#bar.hidden = true;
    /** @type {HTMLElement | null | undefined} */ (line?.querySelector('.hear'))?.focus({ preventScroll: true });
  }

  #fail() {
    this.#problem.textContent = t('This can’t be heard: its time has run out, or the connection is lost.');
    this.#problem.hidden = false;
    this.#show();
  }

  #show() {
    const playing = Boolean(this.#line) && !this.#sound.paused;
    this.#bar.classList.toggle('is-playing', playing);
    this.#toggle.setAttribute('aria-pressed', String(playing));
    this.#word.textContent = playing ? t('Pause') : t('Play');
    this.#follow.hidden = this.#following || this.#alone;
    for (const one of this.#lines.querySelectorAll('.hear[aria-pressed]')) one.removeAttribute('aria-pressed');
    this.#line?.querySelector('.hear')?.setAttribute('aria-pressed', String(playing));
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const { target, key } = event;
    const line = key === 'k' && target instanceof Element ? lineOf(target) : null;
    if (line?.dataset.sound && line !== this.#line) return this.#from(line);
    if (this.#bar.hidden) return;
    if (['ArrowUp', 'ArrowDown', 'PageUp', 'PageDown', 'Home', 'End'].includes(key)) return this.#away();
    if (!(key in STEPS || key === 'k' || key === ' ')) return;
    if (target instanceof Element && target.closest(key === ' ' ? CONTROLS : TYPED)) return;
    event.preventDefault();
    if (key in STEPS) this.#step(STEPS[/** @type {keyof typeof STEPS} */ (key)]);
    else this.#playOrPause();
  }
}

/** Says once why some lines, or all, have no button. @param {Element} lines */
function tellMissing(lines) {
  const note = document.querySelector('[data-sound-note]');
  if (!note) return;
  const silent = lines.querySelector('.turn:not(.in-chat) > .words:not(.gap, [data-sound])');
  const some = Boolean(lines.querySelector('[data-sound]'));
  note.toggleAttribute('hidden', !silent);
  note.querySelector('[data-sound-some]')?.toggleAttribute('hidden', !some);
  note.querySelector('[data-sound-none]')?.toggleAttribute('hidden', some);
}

if (document.querySelector('[data-player]')) {
  // Safari before 18.4 plays no Ogg: there are no buttons then.
  if (document.createElement('audio').canPlayType(KIND)) new Player();
  else if (document.querySelector('[data-sound]')) {
    for (const one of document.querySelectorAll('[data-sound-note], [data-sound-deaf]')) one.removeAttribute('hidden');
  }
}
