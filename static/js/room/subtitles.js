/** Captions over the picture: the last words of who speaks, gone a few seconds later. */

import { find, paint, stamp } from '../lib/dom.js';
import { keep, recall } from '../lib/kept.js';
import { CaptionLook } from './caption_look.js';
import { tag } from './languages.js';
import { called } from './names.js';

const MOST = 8;
const STAYS = 5_000;
const TAIL = 180;
const CHOICE = 'subtitles';

/** @typedef {import('../types').Utterance} Utterance */

/** Without a choice of the reader's own they are on whenever the transcript isn't open. */
export class Subtitles {
  #box = find('[data-subtitles]');
  #button = find('[data-subtitles-button]');
  /** @type {Map<string, { element: HTMLElement, identity: string, said?: Utterance, timer?: ReturnType<typeof setTimeout> }>} */
  #lines = new Map();
  #choice = recall(CHOICE);
  #look = new CaptionLook(() => this.#fit());
  #state;
  #reading;
  // Everything up to this seq was said before we came.
  #replayed = 0;

  /**
   * @param {import('./state.js').State} state
   * @param {import('./actions.js').Actions} actions
   * @param {import('./languages.js').Reading} reading
   */
  constructor(state, actions, reading) {
    this.#state = state;
    this.#reading = reading;
    actions.on('subtitles', () => this.#toggle());
    state.on(['view'], () => this.#draw());
    state.on(['people'], ({ people }) => this.#keepOnly(people.here));
    state.when('welcome', (welcome) => this.#begin(welcome));
    state.when('utterance', (utterance) => this.#show(utterance));
    state.when('corrected', ({ id }) => this.#remove(id));
    state.when('reread', (id) => this.#reread(id));
  }

  #toggle() {
    this.#choice = this.#isOn ? 'off' : 'on';
    keep(CHOICE, this.#choice);
    this.#draw();
  }

  /** @param {import('../types').Welcome} welcome a connection begins: everything of the last one is stale */
  #begin(welcome) {
    this.#replayed = welcome.seq;
    for (const id of this.#lines.keys()) this.#remove(id);
  }

  /** @param {Utterance} utterance shown unless it was said before we came */
  #show(utterance) {
    if (utterance.final && (utterance.seq ?? 0) <= this.#replayed) return;
    if (!utterance.text) return this.#remove(utterance.id);
    const line = this.#lines.get(utterance.id) ?? this.#add(utterance);
    clearTimeout(line.timer);
    line.timer = setTimeout(() => this.#remove(utterance.id), STAYS);
    line.said = utterance;
    find('.name', line.element).textContent = called(this.#state, utterance.identity, utterance.name);
    this.#say(line.element, utterance);
    this.#fit();
  }

  /**
   * @param {HTMLElement} element
   * @param {Utterance} utterance
   */
  #say(element, utterance) {
    const words = find('.subtitle-words', element);
    const { text, language } = this.#reading.of(utterance);
    words.textContent = tail(text);
    words.lang = tag(language);
  }

  /** @param {string | null} id of an utterance of which there is a translation; null: another language is read */
  #reread(id) {
    for (const [own, line] of this.#lines) {
      if (!line.said || (id !== null && own !== id)) continue;
      this.#say(line.element, line.said);
      clearTimeout(line.timer); // it can be read from now on only
      line.timer = setTimeout(() => this.#remove(own), STAYS);
    }
    this.#fit();
  }

  /** @param {import('../types').Person[]} people who is here: the words of who has left or was removed go */
  #keepOnly(people) {
    const here = new Set(people.map(({ identity }) => identity));
    for (const [id, { identity }] of this.#lines) if (!here.has(identity)) this.#remove(id);
  }

  get #isOn() {
    return this.#choice ? this.#choice === 'on' : this.#state.view.panel !== 'transcript';
  }

  #draw() {
    this.#box.hidden = !this.#isOn;
    this.#button.setAttribute('aria-pressed', String(this.#isOn));
    this.#fit();
  }

  /** Keeps to as many lines as the reader wants: the oldest words go first, as they were read the longest ago. */
  #fit() {
    if (this.#box.hidden) return;
    const shown = [...this.#lines];
    let free = this.#look.lines;
    for (const [id, { element }] of shown.reverse()) {
      if (free <= 0) this.#remove(id);
      else free -= shortened(element, free);
    }
  }

  /** @param {Utterance} utterance */
  #add(utterance) {
    const element = stamp('[data-subtitle-template]');
    paint(element, utterance.hue);
    this.#box.append(element);
    const line = { element, identity: utterance.identity };
    this.#lines.set(utterance.id, line);
    const oldest = this.#lines.keys().next().value;
    if (this.#lines.size > MOST && oldest !== undefined) this.#remove(oldest);
    return /** @type {{ element: HTMLElement, identity: string, said?: Utterance, timer?: ReturnType<typeof setTimeout> }} */ (line);
  }

  /** @param {string} id */
  #remove(id) {
    const line = this.#lines.get(id);
    clearTimeout(line?.timer);
    line?.element.remove();
    this.#lines.delete(id);
  }
}

/**
 * @param {HTMLElement} element a line of captions, which loses its first words until it fits
 * @param {number} most lines that it may take
 * @returns {number} lines that it takes
 */
function shortened(element, most) {
  const { lineHeight, paddingTop, paddingBottom } = getComputedStyle(element);
  const padding = parseFloat(paddingTop) + parseFloat(paddingBottom);
  const taken = () => Math.round((element.clientHeight - padding) / parseFloat(lineHeight));
  const words = find('.subtitle-words', element);
  let lines = taken();
  while (lines > most) {
    const text = (words.textContent ?? '').replace(/^… /, '');
    const cut = text.slice(Math.ceil(text.length / 6));
    const next = cut.slice(cut.indexOf(' ') + 1);
    if (next.length >= text.length || !next) break;
    words.textContent = `… ${next}`;
    lines = taken();
  }
  return Math.min(lines, most);
}

/** @param {string} text its end, from the beginning of a word */
function tail(text) {
  if (text.length <= TAIL) return text;
  return `… ${text.slice(text.indexOf(' ', text.length - TAIL) + 1)}`;
}
