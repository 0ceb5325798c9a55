/**
 * Lets people choose times in their own zone. Fields come in UTC, which is what they mean without this: here they show
 * the reader's time, and a hidden field beside each says how far that is from UTC on that day, which summer time changes.
 */

import { t } from '../lib/words.js';

const MINUTE = 60_000;

/** @param {Date} date */
function offsetOf(date) {
  return -date.getTimezoneOffset();
}

/**
 * @param {Date} date
 * @returns {string} as a field for a date and a time has it, in the reader's zone
 */
export function fieldValue(date) {
  return new Date(date.getTime() + offsetOf(date) * MINUTE).toISOString().slice(0, 16);
}

/** @param {Element} place a field with what belongs to it */
function settle(place) {
  const input = place.querySelector('input[type="datetime-local"]');
  const offset = place.querySelector('input[name="offset"]');
  if (!(input instanceof HTMLInputElement && offset instanceof HTMLInputElement)) return;
  const utc = input.dataset.utc;
  if (utc) {
    input.value = fieldValue(new Date(utc));
    delete input.dataset.utc;
  }
  offset.value = String(offsetOf(input.value ? new Date(input.value) : new Date()));
  const zone = place.querySelector('[data-zone]');
  if (zone) zone.textContent = t('your time, {zone}', { zone: Intl.DateTimeFormat().resolvedOptions().timeZone });
}

function settleAll() {
  for (const place of document.querySelectorAll('[data-planned]')) settle(place);
}

settleAll();
document.addEventListener('htmx:after:swap', settleAll);
document.addEventListener('input', ({ target }) => {
  const place = target instanceof Element ? target.closest('[data-planned]') : null;
  if (place) settle(place);
});
