/** Which of our own tabs, windows and devices has the microphone and the call. The server decides; here it is said. */

import { t } from '../lib/words.js';
import { elsewhere, takeHere } from './actions.js';

/** @param {import('./state.js').State} state */
export function tellPlace(state) {
  state.follow(
    ({ me }) => me.active,
    (active) => {
      state.notice('place', active ? null : { text: elsewhere(), offer: takeHere() });
      if (active) state.toast(state.me.taking ? t('Sound is here now. Your microphone is off.') : back());
      state.set('me', { taking: false });
    },
  );
}

function back() {
  return t('Your other tab or window is gone, so sound is here again. Your microphone is off.');
}
