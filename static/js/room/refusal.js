/** Why somebody can't be in this session: one page per reason, in words for people. */

import { find } from '../lib/dom.js';
import { t } from '../lib/words.js';

/** @type {Record<string, () => { title: string, words: string }>} */
const REASONS = {
  denied: () => ({ title: t('You weren’t let in.'), words: t('A host of this session declined your knock.') }),
  removed: () => ({
    title: t('You were removed from this session.'),
    words: t('A host took you out. This link no longer works for you.'),
  }),
  no_member: () => ({
    title: t('You are no longer a member of this space.'),
    words: t('So this session isn’t yours any more. You may knock, as anybody who has the link.'),
  }),
  locked: () => ({
    title: t('This session is locked.'),
    words: t('Its hosts let nobody new come in right now. Ask one of them, or try again later.'),
  }),
  members_only: () => ({
    title: t('This session is for members.'),
    words: t('Only members of the space it belongs to can join. If you are one, sign in with the account you use there.'),
  }),
};

/**
 * @param {string} code of the server's refusal
 * @returns {boolean} whether there is a page for it
 */
export function isRefusal(code) {
  return code in REASONS;
}

/** @param {string} code */
export function showRefusal(code) {
  const { title, words } = REASONS[code]();
  const room = find('#room');
  for (const part of room.querySelectorAll('[data-lobby], [data-joined]')) part.setAttribute('hidden', '');
  for (const dialog of document.querySelectorAll('dialog')) dialog.close();
  room.dataset.state = 'refused';
  const page = find('[data-refused]');
  find('h1', page).textContent = title;
  find('.said', page).textContent = words;
  find('[data-again]', page).hidden = code !== 'locked' && code !== 'no_member';
  find('[data-sign-in]', page).hidden = code !== 'members_only';
  page.hidden = false;
  document.title = `${title} · Sessions`;
  find('h1', page).focus();
}
