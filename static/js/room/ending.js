/** The end for everyone, from whichever dialog has asked. */

import { reasonOf } from '../lib/api.js';

/**
 * The page then shows what was said; a refusal stands in the dialog, where the button can be tried again.
 * @param {import('./api.js').RoomApi} api
 * @param {HTMLButtonElement} button that was clicked
 * @param {HTMLElement} problem
 */
export async function endForAll(api, button, problem) {
  button.disabled = true;
  try {
    await api.end();
    api.show();
  } catch (error) {
    problem.textContent = reasonOf(error);
    problem.hidden = false;
    button.disabled = false;
  }
}
