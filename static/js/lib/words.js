/**
 * The words of the page's modules, in the language of the page. English stands in the code, as gettext has it. A page
 * is served its modules with the words of its language in these calls (web/joining.py, from static/js/words, which
 * `make words` writes); what is said in another way, such as plurals, comes by `speak`.
 */

/** @type {Record<string, string | string[]>} */
let catalogue = {};

/** What the page is written in. */
export const LANGUAGE = globalThis.document?.documentElement.lang || 'en';

/** The same as this browser's reader writes it, where that is known: a clock in en-GB isn't that of en-US. */
export const LOCALE = globalThis.navigator?.languages?.find((one) => one.split('-')[0] === LANGUAGE) ?? LANGUAGE;

const plurals = new Intl.PluralRules(LANGUAGE);
// The forms of gettext's Russian plural in its order. English has the first and the last, which stand in the code.
const FORMS = ['one', 'few', 'many'];

/** @param {Record<string, string | string[]>} words by the English ones, of plurals by the English singular */
export function speak(words) {
  catalogue = words;
}

/**
 * @param {string} text in English
 * @param {Record<string, string | number>} [values] for what stands in braces: "{name} is here"
 * @returns {string} in the language of the page
 */
export function t(text, values = {}) {
  return filled(/** @type {string} */ (catalogue[text] ?? text), values);
}

/**
 * @param {string} one in English: "{count} person"
 * @param {string} many in English: "{count} people"
 * @param {number} count a whole number
 * @param {Record<string, string | number>} [values] besides `count`
 * @returns {string} the words for so many, in the language of the page
 */
export function tn(one, many, count, values = {}) {
  const category = plurals.select(count);
  const forms = /** @type {string[] | undefined} */ (catalogue[one]);
  const words = forms ? forms[FORMS.indexOf(category)] : category === 'one' ? one : many;
  return filled(words, { count, ...values });
}

/**
 * @param {string} words
 * @param {Record<string, string | number>} values
 */
function filled(words, values) {
  return words.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}
