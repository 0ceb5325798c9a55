/** Which language we speak, and in which we read what is said: chosen in the settings. */

import { find } from '../lib/dom.js';
import { keep } from '../lib/kept.js';
import { LOCALE, t } from '../lib/words.js';

const KEPT = 'reads'; // as state.js recalls it
const names = new Intl.DisplayNames([LOCALE], { type: 'language' });

/** @typedef {{ id?: string, final?: boolean, text: string, language?: string | null }} Words without an id for what can have no translation */

/** @param {string} code @returns {string} as a `lang` attribute wants it */
export const tag = (code) => (code === 'jw' ? 'jv' : code);

/** @param {string} code */
const called = (code) => names.of(tag(code)) ?? code;

/** What is said, in the language that is read here as far as there is a translation. */
export class Reading {
  /** @type {Map<string, string>} by the id of the utterance, of the language that is read */
  #texts = new Map();
  #language = '';
  #state;

  /** @param {import('./state.js').State} state */
  constructor(state) {
    this.#state = state;
    state.when('translation', ({ id, language, text }) => {
      if (language !== this.#language) return;
      this.#texts.set(id, text);
      state.happen('reread', id);
    });
    state.when('corrected', ({ id }) => this.#texts.delete(id));
    state.follow(readNow, (language) => {
      this.#language = language;
      this.#texts.clear();
      state.happen('reread', null);
    });
    state.follow(
      ({ view }) => view.original,
      () => state.happen('reread', null),
    );
  }

  /** @param {Words} words @returns {boolean} whether a translation of it is still to come */
  awaits({ id = '', final, text, language }) {
    return Boolean(final) && text !== '' && this.#language !== '' && language !== this.#language && !this.#texts.has(id);
  }

  /**
   * @param {Words} words
   * @param {boolean} [original] as it was said, in any case
   * @returns {{ text: string, language: string, translated: boolean }} `translated`: whether there is a translation
   */
  of({ id = '', text, language }, original = false) {
    const other = language === this.#language ? undefined : this.#texts.get(id);
    if (other === undefined || original || this.#state.view.original) return { text, language: language ?? '', translated: other !== undefined };
    return { text: other, language: this.#language, translated: true };
  }
}

/** @param {import('./state.js').State} state @returns {string} the code of what is read; '' for what is said as it is said */
export function readNow({ session, view }) {
  return session.targets?.includes(view.reads) ? view.reads : '';
}

/** The fields in which both are chosen, and the line that leads back to the original. */
export class Languages {
  #speak = /** @type {HTMLSelectElement} */ (find('[data-speak]'));
  #read = /** @type {HTMLSelectElement} */ (find('[data-read]'));
  #line = find('[data-reading]');

  /**
   * @param {import('./state.js').State} state
   * @param {import('./actions.js').Actions} actions
   * @param {string[]} known codes of what the engine knows
   */
  constructor(state, actions, known) {
    const sorted = known.map((code) => new Option(called(code), code)).sort((a, b) => a.text.localeCompare(b.text, LOCALE));
    this.#speak.append(...sorted);
    find('[data-speak-field]').hidden = known.length < 2;
    this.#speak.addEventListener('change', () => {
      actions.post('speak', { language: this.#speak.value || null });
      this.#speak.value = state.me.language ?? ''; // until the server has said so
    });
    this.#read.addEventListener('change', () => {
      keep(KEPT, this.#read.value);
      actions.post('read', { language: this.#read.value });
    });
    actions.on('original', () => state.set('view', { original: !state.view.original }));
    state.on(['me'], ({ me }) => (this.#speak.value = me.language ?? ''));
    state.follow(({ session }) => session.targets, () => this.#offer(state));
    state.on(['session', 'view'], () => this.#tell(state));
    this.#offer(state);
  }

  /** @param {import('./state.js').State} state */
  #offer({ session, view }) {
    const targets = session.targets ?? [];
    const others = targets.map((code) => new Option(called(code), code));
    this.#read.replaceChildren(new Option(t('As it was said'), ''), ...others);
    this.#read.value = targets.includes(view.reads) ? view.reads : '';
    find('[data-read-field]').hidden = targets.length === 0;
  }

  /** @param {import('./state.js').State} state */
  #tell(state) {
    const language = readNow(state);
    this.#line.hidden = !language;
    find('[data-reading-words]').textContent = state.view.original ? t('As it was said.') : t('Translated: {language}.', { language: called(language || 'en') });
    find('[data-do="original"]').textContent = state.view.original ? t('Translate') : t('Original');
  }
}
