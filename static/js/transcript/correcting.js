/**
 * Corrects lines where they stand: what a line's pen or mark leads to is put below it. Without scripts, and where it
 * can't be had, the same is a page of its own.
 */

import { lineOf, load, mark } from './going.js';
import { showLocalTimes } from '../lib/times.js';
import { t } from '../lib/words.js';

const transcript = document.querySelector('#transcript');

/** @type {{ box: HTMLElement, line: string, from: HTMLElement } | undefined} what is open */
let open;

/** @param {string} line @returns {HTMLElement | undefined} the link of its time */
function timeOf(line) {
  const links = /** @type {NodeListOf<HTMLAnchorElement>} */ (document.querySelectorAll('#transcript a.at'));
  return [...links].find((link) => link.hash === `#u-${line}`);
}

/** @param {HTMLAnchorElement} link */
async function show(link) {
  const line = link.dataset.line ?? '';
  const below = lineOf(line);
  const answer = await fetch(link.href, { headers: { 'HX-Request': 'true' } });
  if (!answer.ok || !below) return location.assign(link.href);
  const at = document.activeElement; // also a time, from which a key has led here
  const from = open?.box.contains(link) ? open.from : at instanceof HTMLElement && transcript?.contains(at) ? at : link;
  close();
  const box = document.createElement('div');
  open = { box, line, from };
  below.after(box);
  fill(await answer.text());
}

/** @param {string} html the server's own words, in which all that people said is escaped */
function fill(html) {
  if (!open) return;
  open.box.innerHTML = html;
  showLocalTimes();
  const { box } = open;
  const speaker = box.querySelector('select');
  speaker?.addEventListener('change', () => choose(box, speaker.value));
  if (speaker) choose(box, speaker.value);
  box.querySelector('[data-split]')?.removeAttribute('hidden');
  box.querySelector('[data-hear]')?.toggleAttribute('hidden', !lineOf(open.line)?.querySelector('.hear'));
  const alert = box.querySelector('.correcting-stale');
  const text = box.querySelector('textarea');
  const first = alert ?? text ?? box.querySelector('[data-cancel]');
  if (first instanceof HTMLElement) first.focus({ preventScroll: true });
  text?.setSelectionRange(text.value.length, text.value.length);
  box.scrollIntoView({ block: 'nearest' });
}

/**
 * Only what belongs to who is chosen is asked for.
 * @param {HTMLElement} box
 * @param {string} speaker
 */
function choose(box, speaker) {
  const name = box.querySelector('[data-new]');
  if (name instanceof HTMLElement) name.hidden = speaker !== 'new';
  name?.querySelector('input')?.toggleAttribute('required', speaker === 'new');
  const run = box.querySelector('[data-run]');
  if (run instanceof HTMLElement) run.hidden = !speaker;
}

/** Takes what is open away, and gives the focus back to where it came from. */
function close({ back = false } = {}) {
  const was = open;
  open = undefined;
  was?.box.remove();
  if (back) (was?.from.isConnected ? was.from : timeOf(was?.line ?? ''))?.focus({ preventScroll: true });
}

/** @param {string} words */
function tell(words) {
  const problem = open?.box.querySelector('[data-problem]');
  if (problem) problem.textContent = words;
}

/**
 * @param {HTMLFormElement} form
 * @param {HTMLElement | null} submitter
 */
async function send(form, submitter) {
  if (!open) return;
  const { line, box } = open;
  const address = submitter?.getAttribute('formaction') ?? form.getAttribute('action') ?? '';
  const fields = new FormData(form);
  if (fields.get('speaker') === '') fields.delete('run');
  const body = new URLSearchParams(/** @type {any} */ (fields));
  const buttons = [...box.querySelectorAll('button')];
  for (const one of buttons) one.disabled = true;
  tell('');
  try {
    const answer = await fetch(address, { method: 'POST', body, headers: { 'HX-Request': 'true' } });
    if (answer.ok) return await again(line);
    const html = await answer.text();
    if (answer.status === 409 && html.includes('class="correcting"')) return fill(html);
    const page = new DOMParser().parseFromString(html, 'text/html');
    tell(page.body.textContent?.trim().replace(/\s+/g, ' ') ?? '');
  } catch {
    tell(t('The server doesn’t answer. Try again in a moment.'));
  } finally {
    for (const one of buttons) one.disabled = false;
  }
}

/** Shows the lines as they are now, this one where it was. @param {string} id */
async function again(id) {
  const top = lineOf(id)?.getBoundingClientRect().top ?? 0;
  close();
  await load({ line: id });
  const line = lineOf(id);
  mark(line);
  if (line) window.scrollBy(0, line.getBoundingClientRect().top - top);
  timeOf(id)?.focus({ preventScroll: true });
}

/** Has what is corrected heard, if that is kept: hearing.js plays it. */
function hear() {
  const line = open && lineOf(open.line);
  if (line?.dataset.sound) document.dispatchEvent(new CustomEvent('line:hear', { detail: line }));
}

/** Splits a line where the cursor is. @param {HTMLTextAreaElement} text */
function split(text) {
  const { selectionStart: start, value } = text;
  if (!value.slice(0, start).trim() || !value.slice(start).trim()) {
    tell(t('Put the cursor where the line is to be split.'));
    text.focus();
    return;
  }
  text.setRangeText('\n', start, start, 'end');
  text.form?.requestSubmit();
}

document.addEventListener('click', (event) => {
  const on = event.target instanceof Element ? event.target : null;
  if (!on || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const link = on.closest('#transcript :is(a.correct, a.mark-corrected, a[data-history])');
  if (link instanceof HTMLAnchorElement) {
    event.preventDefault();
    show(link);
  } else if (open?.box.contains(on)) {
    const text = open.box.querySelector('textarea');
    if (on.closest('[data-split]') && text) split(text);
    if (on.closest('[data-hear]')) hear();
    if (!on.closest('[data-cancel]')) return;
    event.preventDefault();
    if (open.box.querySelector('.correcting-stale')) again(open.line);
    else close({ back: true });
  }
});

transcript?.addEventListener('submit', (event) => {
  if (!open || !(event.target instanceof HTMLFormElement) || !open.box.contains(event.target)) return;
  event.preventDefault();
  send(event.target, /** @type {SubmitEvent} */ (event).submitter);
});

document.addEventListener('keydown', (event) => {
  const { target } = event;
  if (!(target instanceof HTMLElement)) return;
  if (open?.box.contains(target)) {
    if (event.key === 'Escape') {
      event.preventDefault();
      close({ back: true });
    } else if (event.key === 'Enter' && (event.ctrlKey || event.metaKey) && target instanceof HTMLTextAreaElement) {
      event.preventDefault();
      target.form?.requestSubmit();
    } else if (event.code === 'KeyK' && event.altKey && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      hear();
    }
  } else if (event.key === 'e' && !event.ctrlKey && !event.metaKey && !event.altKey && target.matches('#transcript .at')) {
    const link = penOf(target);
    if (link) event.preventDefault();
    link?.click();
  }
});

/** @param {HTMLElement} time @returns {HTMLElement | null} what corrects its line */
function penOf(time) {
  const line = document.getElementById(time instanceof HTMLAnchorElement ? time.hash.slice(1) : '');
  const before = line?.previousElementSibling;
  const pen = before?.matches('.at') ? before.previousElementSibling : before;
  return pen instanceof HTMLElement && pen.matches('.correct') ? pen : null;
}

// As with the times, one of the pens is a stop of the Tab key: that of the time which is one.
function settle() {
  for (const one of document.querySelectorAll('#transcript .correct, #transcript .mark-corrected')) {
    if (one instanceof HTMLElement) one.tabIndex = -1;
  }
  const stop = document.querySelector('#transcript .at[tabindex="0"]');
  if (stop instanceof HTMLElement) offer(stop);
}

/** @type {HTMLElement[]} */
let offered = [];

/** @param {HTMLElement} time */
function offer(time) {
  for (const one of offered) one.tabIndex = -1;
  const pen = penOf(time);
  const was = time instanceof HTMLAnchorElement ? document.querySelector(`[id="${time.hash.slice(1)}"] a.mark-corrected`) : null;
  offered = [pen, was].filter((one) => one instanceof HTMLElement);
  for (const one of offered) one.tabIndex = 0;
}

transcript?.addEventListener('focusin', (event) => {
  if (event.target instanceof HTMLElement && event.target.matches('.at')) offer(event.target);
});

settle();
document.addEventListener('htmx:after:swap', settle);
document.addEventListener('lines:loaded', settle);

// Lines that have come must not take away a form that somebody fills in.
document.addEventListener('htmx:before:request', (event) => {
  const { detail } = /** @type {CustomEvent} */ (event);
  if (open && detail.ctx.sourceEvent?.type === 'every') event.preventDefault();
});
