/** The live transcript: one line per utterance, in the order it was spoken. */

import { find, paint, stamp } from '../lib/dom.js';
import { clock, howLong } from '../lib/text.js';
import { t } from '../lib/words.js';
import { tag } from './languages.js';
import { called } from './names.js';
import { pauseWords } from './pausing.js';

const NEAR_BOTTOM = 64;
const ANNOUNCED = 4;
const TRANSLATED_WITHIN = 4_000; // after which it is announced as it was said

/** @typedef {import('../types').Utterance} Utterance */
/** @typedef {{ element: HTMLElement, start: number, final: boolean, seq: number, name: string | null, said?: Words, original?: boolean, announcing?: ReturnType<typeof setTimeout> }} Line */
/** @typedef {Pick<Utterance, 'seq' | 'identity' | 'hue' | 'text' | 'start' | 'final' | 'lost'> & { name: string | null, id?: string, language?: string | null }} Words */

/** Draws utterances; keeps the reader's place unless they read along at the end. */
export class Transcript {
  #list = find('[data-lines]');
  #scroll = find('[data-scroll]');
  #latest = find('[data-latest]');
  #empty = find('[data-empty]');
  #announcer = find('[data-announcer]');
  /** @type {Map<string, Line>} */
  #lines = new Map();
  #state;
  #reading;
  #following = true;
  // Everything up to this seq was said before we came: drawn, but not read out.
  #replayed = 0;

  /**
   * @param {import('./state.js').State} state
   * @param {import('./languages.js').Reading} reading
   */
  constructor(state, reading) {
    this.#state = state;
    this.#reading = reading;
    this.#scroll.addEventListener('scroll', () => this.#noticePlace(), { passive: true });
    this.#latest.addEventListener('click', () => this.#goToLatest());
    new ResizeObserver(() => this.#following && this.#goToLatest()).observe(this.#scroll);
    state.when('welcome', (welcome) => this.#begin(welcome));
    state.when('utterance', (utterance) => this.#show(utterance));
    state.when('corrected', (corrected) => this.#correct(corrected));
    state.follow(
      ({ session }) => session.names,
      () => this.#rename(),
    );
    state.when('reread', (id) => this.#reread(id));
    this.#list.addEventListener('click', ({ target }) => target instanceof HTMLElement && this.#turn(target));
    state.follow(
      ({ session }) => session.pauses,
      (pauses) => this.#showPauses(pauses),
    );
    state.follow(awayFrom, (away) => this.#stall(new Set(away.split(' '))));
  }

  /** @param {import('../types').Welcome} welcome a connection begins: open lines of the last one, and text it doesn't know, are stale */
  #begin(welcome) {
    this.#replayed = welcome.seq;
    for (const [id, line] of this.#lines) if (!line.final || line.seq > welcome.seq) this.#remove(id, line);
  }

  /** @param {Utterance} utterance a new one, a later wording, the final, or a withdrawal (empty partial) */
  #show(utterance) {
    const line = this.#lines.get(utterance.id);
    if (!utterance.final && (!utterance.text || line?.final)) {
      if (line && !line.final) this.#remove(utterance.id, line);
      return;
    }
    this.#write(line ?? this.#add(utterance), utterance);
    this.#empty.hidden = true;
    if (utterance.final) this.#announceOnce(utterance);
    if (this.#following) this.#goToLatest();
    else this.#latest.hidden = false;
  }

  /** @param {import('../types').Corrected} corrected what is still there of it stays in its place */
  #correct({ id, seq, parts }) {
    const lines = new Map(parts.map((one) => [one.part ? `${id}/${one.part}` : id, one]));
    for (const [key, line] of this.#lines) if (key.split('/')[0] === id && !lines.has(key)) this.#remove(key, line);
    for (const [key, { text, start, speaker, name, hue }] of lines) {
      const line = this.#lines.get(key) ?? this.#add({ id: key });
      // A translation of it is told anew where its words are those that were heard.
      const same = line.said?.text === text ? { language: line.said.language } : {};
      this.#write(line, { ...same, id: key, seq, identity: speaker, name, hue, text, start, final: true });
    }
    this.#empty.hidden = this.#lines.size > 0;
    if (this.#following) this.#goToLatest();
  }

  #rename() {
    for (const { element, name } of this.#lines.values()) {
      const { identity } = element.dataset;
      if (identity) find('.name', element).textContent = called(this.#state, identity, name);
    }
  }

  /** @param {string | null} id of an utterance of which there is a translation; null: another language is read */
  #reread(id) {
    const lines = id === null ? [...this.#lines.values()] : [this.#lines.get(id)];
    for (const line of lines) if (line?.said) this.#say(line, line.said);
    const line = id === null ? undefined : this.#lines.get(id);
    if (line?.announcing && line.said) {
      clearTimeout(line.announcing);
      line.announcing = undefined;
      this.#announce(line.said);
    }
    if (this.#following) this.#goToLatest();
  }

  /** @param {HTMLElement} button of a line, which shows it as it was said, or translated again */
  #turn(button) {
    const id = button.matches('[data-turn]') && button.closest('li')?.dataset.utterance;
    const line = id ? this.#lines.get(id) : undefined;
    if (!line?.said) return;
    line.original = !line.original;
    this.#say(line, line.said);
  }

  /** @param {import('../types').Pause[]} pauses each a line of its own, among what was said */
  #showPauses(pauses) {
    for (const [place, pause] of pauses.entries()) {
      const id = `pause-${place}`;
      const line = this.#lines.get(id) ?? { element: stamp('[data-pause-template]'), start: -1, final: true, seq: 0, name: null };
      this.#lines.set(id, line);
      find('.words', line.element).textContent = pauseWords(pause);
      if (line.start !== pause.start) this.#place(line, pause.start);
    }
    this.#empty.hidden = this.#lines.size > 0;
    if (this.#following) this.#goToLatest();
  }

  /** @param {Set<string>} identities who is away: what they were saying isn't in the making for now */
  #stall(identities) {
    for (const { element } of this.#lines.values()) element.classList.toggle('stalled', identities.has(element.dataset.identity ?? ''));
  }

  /** @param {{ id: string }} utterance */
  #add(utterance) {
    /** @type {Line} */
    const line = { element: stamp('[data-line-template]'), start: -1, final: false, seq: 0, name: null };
    line.element.dataset.utterance = utterance.id;
    this.#lines.set(utterance.id, line);
    return line;
  }

  /**
   * @param {Line} line
   * @param {Words} utterance
   */
  #write(line, utterance) {
    const { element } = line;
    line.name = utterance.name;
    find('.name', element).textContent = called(this.#state, utterance.identity, line.name);
    find('.at', element).textContent = clock(utterance.start);
    line.said = utterance;
    this.#say(line, utterance);
    element.dataset.identity = utterance.identity;
    paint(element, utterance.hue);
    line.final = utterance.final;
    line.seq = utterance.seq ?? 0;
    if (line.start !== utterance.start) this.#place(line, utterance.start);
  }

  /**
   * @param {Line} line
   * @param {Words} utterance
   */
  #say(line, utterance) {
    const words = find('.words', line.element);
    const { text, language, translated } = this.#reading.of(utterance, line.original);
    words.textContent = utterance.lost ? wordsOf(utterance) : text;
    words.lang = utterance.lost ? '' : tag(language);
    words.classList.toggle('gap', Boolean(utterance.lost));
    words.classList.toggle('in-the-making', !utterance.final);
    const button = line.element.querySelector('[data-turn]');
    if (!(button instanceof HTMLElement)) return;
    button.hidden = !translated || this.#state.view.original;
    if (!button.hidden) button.textContent = line.original ? t('Translation') : t('Original');
  }

  /**
   * Lines stand in the order in which they began; equal starts in the order of arrival.
   * @param {Line} line
   * @param {number} start
   */
  #place(line, start) {
    const old = line.element.nextElementSibling;
    line.start = start;
    line.element.dataset.start = String(start);
    line.element.remove();
    let before = this.#list.lastElementChild;
    while (before && Number(/** @type {HTMLElement} */ (before).dataset.start) > start) before = before.previousElementSibling;
    if (before) before.after(line.element);
    else this.#list.prepend(line.element);
    for (const changed of [line.element, line.element.nextElementSibling, old]) joinToPrevious(changed);
  }

  /**
   * @param {string} id
   * @param {Line} line
   */
  #remove(id, line) {
    const next = line.element.nextElementSibling;
    line.element.remove();
    this.#lines.delete(id);
    joinToPrevious(next);
    this.#empty.hidden = this.#lines.size > 0;
  }

  /** @param {Utterance} utterance in the language that is read, if its translation comes soon */
  #announceOnce(utterance) {
    const line = this.#lines.get(utterance.id);
    if (!line || !this.#reading.awaits(utterance)) return this.#announce(utterance);
    clearTimeout(line.announcing);
    line.announcing = setTimeout(() => {
      line.announcing = undefined;
      this.#announce(utterance);
    }, TRANSLATED_WITHIN);
  }

  /** Finals only, said by others, from now on: a screen reader is not flooded with words in the making. */
  #announce(/** @type {Words} */ utterance) {
    if (utterance.identity === this.#state.me.person.identity || (utterance.seq ?? 0) <= this.#replayed) return;
    const line = document.createElement('p');
    const { text, language } = this.#reading.of(utterance);
    line.textContent = `${called(this.#state, utterance.identity, utterance.name)}: ${utterance.lost ? wordsOf(utterance) : text}`;
    line.lang = tag(language);
    this.#announcer.append(line);
    while (this.#announcer.childElementCount > ANNOUNCED) this.#announcer.firstElementChild?.remove();
  }

  #noticePlace() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroll;
    this.#following = scrollHeight - scrollTop - clientHeight < NEAR_BOTTOM;
    if (this.#following) this.#latest.hidden = true;
  }

  #goToLatest() {
    this.#scroll.scrollTop = this.#scroll.scrollHeight;
    this.#latest.hidden = true;
  }
}

/** @param {import('./state.js').State} state @returns {string} the identities of who is away, with spaces between them */
function awayFrom({ faces }) {
  return faces
    .filter(({ away }) => away)
    .map(({ identity }) => identity)
    .join(' ');
}

/** @param {Pick<Utterance, 'text' | 'lost'>} utterance a gap says so instead */
function wordsOf({ text, lost }) {
  return lost ? t('{time} could not be transcribed', { time: howLong(lost) }) : text;
}

/**
 * A line loses its name when the one before it has the same speaker; the first of a minute keeps its time,
 * so that who speaks for long can be found. The transcript page has the same rule, in routes/session.py.
 * @param {Element | null} element
 */
function joinToPrevious(element) {
  if (!(element instanceof HTMLElement)) return;
  const previous = element.previousElementSibling;
  const same = previous instanceof HTMLElement && previous.dataset.identity === element.dataset.identity;
  element.classList.toggle('continues', same);
  element.classList.toggle('timed', same && minute(element) !== minute(previous));
}

/** @param {HTMLElement} line */
function minute(line) {
  return Math.floor(Number(line.dataset.start) / 60);
}
