/** A host's pause of the transcription, as everybody is told of it, and whether our own microphone is written down. */

import { find } from '../lib/dom.js';
import { clock } from '../lib/text.js';
import { t } from '../lib/words.js';

/** @typedef {import('./state.js').State} State */

/** @param {State} state */
export function tellPauses(state) {
  const aside = find('[data-mic-aside]');
  const button = find('[data-pause]');
  state.on(['session', 'me'], ({ session, me, isTranscribed }) => {
    const hosts = me.person.role === 'HOST';
    const offer = hosts ? /** @type {const} */ ({ label: t('Resume'), act: 'resume' }) : undefined;
    const name = session.pauses.at(-1)?.by ?? t('A host');
    const text = t('{name} paused the transcription. What you say is neither written down nor sent to be. The call goes on.', { name });
    state.notice('paused', session.paused ? { text, offer } : null);
    aside.hidden = isTranscribed;
    button.hidden = !hosts;
    button.dataset.do = session.paused ? 'resume' : 'pause';
    find('span', button).textContent = session.paused ? t('Resume') : t('Pause');
  });
  state.follow(
    ({ session }) => session.paused,
    (paused) => paused || state.toast(t('The transcription goes on: what is said is written down again.')),
  );
}

/**
 * @param {import('../types').Pause} pause
 * @returns {string} its line in the transcript
 */
export function pauseWords({ start, end, by }) {
  const values = { name: by ?? t('a host'), from: clock(start), until: clock(end ?? 0) };
  if (end === null) return t('Paused by {name} since {from}: nothing is transcribed.', values);
  return t('Paused by {name} from {from} to {until}: nothing was transcribed.', values);
}
