/** Whose captions are late or failing, in one sentence per reason. */

const list = new Intl.ListFormat('en', { type: 'conjunction' });
const WORDS = { delayed: 'are delayed', failed: 'have failed' };

/** @typedef {import('../types').Speech} Speech */

export class Lateness {
  #show;
  /** @type {Map<string, { name: string, speech: Speech }>} */
  #troubled = new Map();

  /** @param {(text: string | null) => void} show null when everybody's captions are well */
  constructor(show) {
    this.#show = show;
  }

  /**
   * @param {Speech} speech
   * @param {string} name of the person
   */
  speech(speech, name) {
    if (speech.state in WORDS) this.#troubled.set(speech.identity, { name, speech });
    else this.#troubled.delete(speech.identity);
    this.#tell();
  }

  /** @param {import('../types').Person[]} people who is still here */
  people(people) {
    const here = new Set(people.map(({ identity }) => identity));
    for (const identity of this.#troubled.keys()) if (!here.has(identity)) this.#troubled.delete(identity);
    this.#tell();
  }

  #tell() {
    /** @type {Map<string, string[]>} */
    const namesByTrouble = new Map();
    for (const { name, speech } of this.#troubled.values()) {
      const words = WORDS[/** @type {'delayed' | 'failed'} */ (speech.state)];
      const trouble = speech.reason ? `${words}: ${speech.reason}` : words;
      namesByTrouble.set(trouble, [...(namesByTrouble.get(trouble) ?? []), name]);
    }
    const sentences = [...namesByTrouble].map(([trouble, names]) => `Captions of ${list.format(names)} ${trouble}.`);
    this.#show(sentences.length ? sentences.join(' ').replaceAll('..', '.') : null);
  }
}
