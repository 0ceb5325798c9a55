/** What the server refuses in /ws, and what became of our speech, in words: it sends codes and numbers. */

import { howLong } from '../lib/text.js';
import { t, tn } from '../lib/words.js';

/**
 * @param {{ code: string, seconds?: number }} error docs/protocol.md
 * @returns {string} a sentence
 */
export function errorWords({ code, seconds = 0 }) {
  switch (code) {
    case 'words_lost':
      return t('{time} of what you said could not be transcribed.', { time: howLong(seconds) });
    case 'transcript_full':
      return t('This session’s transcript is full: nothing more is written down.');
    case 'chat_full':
      return t('This session’s chat is full.');
    case 'too_much':
    case 'mic_too_often':
      return tn('That was a lot: wait {count} second.', 'That was a lot: wait {count} seconds.', Math.ceil(seconds));
    case 'not_allowed':
      return t('That isn’t allowed here.');
    default:
      // A mistake of this page's, which its person can do nothing about but begin anew.
      return t('The server doesn’t understand this page. Reload it.');
  }
}
