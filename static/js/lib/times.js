/** Shows every `<time datetime>` in the reader's own time zone and words for the day. */

import { LOCALE } from './words.js';

const DAY = 86_400_000;
const clock = new Intl.DateTimeFormat(LOCALE, { timeStyle: 'short' });
const nearDays = new Intl.RelativeTimeFormat(LOCALE, { numeric: 'auto' });

/** @param {Date} date */
function midnight(date) {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
}

/**
 * @param {Date} date
 * @param {Date} [now]
 * @returns {string} "today, 10:00", "yesterday, 10:00", "tomorrow, 10:00" or "3 May 2026, 10:00"
 */
export function localTime(date, now = new Date()) {
  const days = Math.round((midnight(date) - midnight(now)) / DAY);
  if (Math.abs(days) <= 1) return `${capital(nearDays.format(days, 'day'))}, ${clock.format(date)}`;
  const year = date.getFullYear() === now.getFullYear() ? undefined : /** @type {const} */ ('numeric');
  return `${date.toLocaleDateString(LOCALE, { day: 'numeric', month: 'long', year })}, ${clock.format(date)}`;
}

/**
 * @param {Date} date
 * @param {Date} [now]
 * @returns {string} for the middle of a sentence: "10:00" for today, else with the day
 */
export function shortTime(date, now = new Date()) {
  if (midnight(date) === midnight(now)) return clock.format(date);
  return `${date.toLocaleDateString(LOCALE, { day: 'numeric', month: 'long' })}, ${clock.format(date)}`;
}

/** @param {string} text */
function capital(text) {
  return text.charAt(0).toLocaleUpperCase(LOCALE) + text.slice(1);
}

export function showLocalTimes() {
  for (const element of document.querySelectorAll('time[datetime]')) {
    const date = new Date(element.getAttribute('datetime') ?? '');
    if (Number.isNaN(date.getTime())) continue;
    element.textContent = element.hasAttribute('data-short') ? shortTime(date) : localTime(date);
    element.setAttribute('title', date.toLocaleString(LOCALE, { dateStyle: 'full', timeStyle: 'long' }));
  }
}

showLocalTimes();
document.addEventListener('htmx:after:swap', showLocalTimes);
