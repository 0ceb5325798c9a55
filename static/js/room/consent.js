/** Whether we want to be transcribed, where the space asks: said, and changed at any time. */

import { reasonOf } from '../lib/api.js';
import { find } from '../lib/dom.js';
import { t } from '../lib/words.js';

/**
 * @param {import('./state.js').State} state
 * @param {import('./actions.js').Actions} actions
 * @param {import('./api.js').RoomApi} api
 */
export function tellConsent(state, actions, api) {
  const lines = /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('[data-consent]'));
  const kept = /** @type {HTMLElement | null} */ (document.querySelector('[data-kept]'));
  const [yes, no] = [offer('consent-yes'), offer('consent-no')];
  // One after the other: the last word counts for the server, too.
  let said = Promise.resolve();
  let turn = 0;
  /** @param {boolean} given */
  const say = (given) => {
    const mine = ++turn;
    // A no holds from the click on, whatever becomes of its way to the server.
    if (!given) state.set('me', { refused: true });
    said = said.then(async () => {
      try {
        await api.consent(given, state.me.person.identity);
        if (mine === turn) state.set('me', { refused: false, consent: { ...state.me.consent, given } });
      } catch (error) {
        state.toast(reasonOf(error));
      }
    });
  };
  actions.on('consent-yes', () => say(true));
  actions.on('consent-no', () => say(false));
  state.when('welcome', () => state.me.refused && say(false));
  state.on(['me', 'session'], ({ me, session, isAgreed }) => {
    if (kept) kept.hidden = !session.audio || !isAgreed;
    const asked = me.consent.asked === 'REQUIRED';
    const answered = me.refused || me.consent.given !== null;
    for (const line of lines) line.hidden = !answered || line.dataset.consent !== String(isAgreed) || (isAgreed && !asked);
    const text = me.toldAudio
      ? t('May what you say be transcribed, and the sound of it kept? Until you answer, it isn’t.')
      : t('May what you say be transcribed? Until you answer, it isn’t.');
    state.notice('consent', asked && !answered ? { text, offer: yes, or: no } : null);
  });
}

/**
 * @param {'consent-yes' | 'consent-no'} act
 * @returns {import('../types').Offer} in the words of the panel
 */
function offer(act) {
  return { act, label: find(`[data-do="${act}"]`).textContent ?? '' };
}
