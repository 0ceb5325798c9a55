/** Why captions are late, failing or off, as core/speech/reasons.py has the codes: words to stand after a colon. */

import { t } from '../lib/words.js';

/**
 * @param {import('../types').Reason} reason
 * @returns {string} a part of a sentence, without a full stop
 */
export function reasonWords({ code, detail }) {
  switch (code) {
    case 'busy':
      return t('all transcription streams are busy; catching up');
    case 'no_stream':
    case 'plan_full':
      return t('the speech service takes no further stream now');
    case 'dropped':
    case 'stream_cut':
    case 'connection_lost':
    case 'connection_refused':
      return t('the connection to the speech service broke; catching up');
    case 'space_used_up':
      return t('this space has used up its minutes of captions for today; they go on at 00:00 UTC, or when whoever runs this server allows more');
    case 'space_month_used_up':
      return t('this space has used up its minutes of captions for this month; they come back on {day}, 00:00 UTC, or when whoever runs this server allows more', { day: dayWords(detail) });
    case 'space_choice_used_up':
      return t('this space has used up the minutes of captions that its owners chose for this month; they come back on {day}, 00:00 UTC, or when an owner allows more', { day: dayWords(detail) });
    case 'switched_off':
      return t('they are switched off by SPEECH_ENGINE');
    case 'key_missing':
      return t('they need GLADIA_API_KEY');
    case 'malformed':
      return t('GLADIA_API_URL or GLADIA_API_KEY is malformed');
    case 'credit_used_up':
      return t('the Gladia credit is used up: captions go on after a top-up at app.gladia.io');
    case 'key_refused':
      return t('the Gladia key was refused: check GLADIA_API_KEY');
    case 'plan_forbids':
      return t('the Gladia plan doesn’t allow this: see app.gladia.io');
    case 'settings_refused':
      return detail ? t('Gladia refused the settings: {detail}', { detail }) : t('Gladia refused the settings');
    case 'not_the_service':
      return t('what answers isn’t Gladia: check GLADIA_API_URL');
    case 'unreachable':
      return t('the speech service can’t be reached');
    case 'no_answer':
    case 'no_reaction':
    case 'falls_behind':
    case 'unfinished':
      return t('the speech service doesn’t answer in time');
    case 'no_package':
      return t('the local speech engine has no package for this platform: set GLADIA_API_KEY to transcribe with Gladia');
    case 'model_not_loadable':
      return t('the speech model can’t be loaded: {detail}', { detail });
    case 'not_loadable':
      return t('the local speech engine can’t be loaded ({detail}): set GLADIA_API_KEY', { detail });
    case 'not_started':
    case 'stopped':
      return t('the local speech engine isn’t running');
    case 'too_slow':
      return t('this machine is transcribing slower than people speak');
    case 'engine_failed':
      return t('the local speech engine failed: {detail}', { detail });
    default:
      return t('the speech service has trouble at the moment');
  }
}

/** @param {import('../types').Reason | null} reason @returns {boolean} whether the space has no minutes left */
export function isUsedUp(reason) {
  return Boolean(reason?.code.startsWith('space_'));
}

/** @param {import('../types').Period} period @returns {string} what hosts are warned of */
export function nearWords(period) {
  return period === 'month'
    ? t('This space has used four fifths of its minutes of captions for this month.')
    : t('This space has used four fifths of its minutes of captions for today.');
}

/** @param {string} day such as 2026-12-01 @returns {string} such as 1 December */
function dayWords(day) {
  return new Date(day).toLocaleDateString(document.documentElement.lang, { day: 'numeric', month: 'long', timeZone: 'UTC' });
}
