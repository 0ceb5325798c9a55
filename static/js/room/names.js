/** What speakers are called in the transcript: hosts may have given them another name than their own. */

import { t } from '../lib/words.js';

/**
 * @param {import('./state.js').State} state
 * @param {string} speaker an identity, or the id of somebody without a microphone of their own
 * @param {string | null} name their own; null: several people in one room
 * @returns {string}
 */
export function called({ session: { names } }, speaker, name) {
  return (speaker in names ? names[speaker] : name) ?? t('Several people');
}
