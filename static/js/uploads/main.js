/** The entry of an upload's page: files that are chosen or dropped are sent, and names are kept as they are typed. */

import '../home/asking.js';
import '../home/planned.js';
import '../home/spoken.js';
import { post, reasonOf } from '../lib/api.js';
import { find, stamp } from '../lib/dom.js';
import '../lib/times.js';
import { t } from '../lib/words.js';
import { send } from './sending.js';

const MB = 1_000_000;

const adding = document.getElementById('adding');
const input = document.getElementById('adding-files');
/** @type {File[]} */
const waiting = [];
let sending = false;

function refresh() {
  document.getElementById('upload')?.dispatchEvent(new Event('refresh'));
}

/** @param {Iterable<File>} files */
function add(files) {
  waiting.push(...files);
  if (!sending) sendAll();
}

async function sendAll() {
  sending = true;
  find('#coming-problem').textContent = '';
  for (let file = waiting.shift(); file; file = waiting.shift()) await sendOne(file);
  sending = false;
}

/** @param {File} file */
async function sendOne(file) {
  const row = stamp('#coming-file');
  const [called, said] = row.querySelectorAll('span');
  const bar = /** @type {HTMLProgressElement} */ (row.querySelector('progress'));
  called.textContent = file.name;
  bar.setAttribute('aria-label', file.name);
  find('#coming').append(row);
  let words = '';
  try {
    if (!file.size) throw new Error(t('“{name}” is empty.', { name: file.name }));
    await send(adding?.dataset.upload ?? '', file, {
      came(received) {
        bar.value = received / file.size;
        words = t('{received} of {bytes} MB', { received: (received / MB).toFixed(1), bytes: (file.size / MB).toFixed(1) });
        said.textContent = words;
      },
      broke(broken) {
        said.textContent = broken ? t('The line is broken: it goes on by itself.') : words;
      },
    });
  } catch (error) {
    const why = error instanceof Error && !file.size ? error.message : reasonOf(error);
    find('#coming-problem').textContent = t('{name}: {why}', { name: file.name, why });
  }
  row.remove();
  refresh();
}

if (adding && input instanceof HTMLInputElement) {
  const take = () => {
    add(input.files ?? []);
    input.value = '';
  };
  input.addEventListener('change', take);
  take(); // what was chosen before this was loaded
  adding.addEventListener('submit', (event) => event.preventDefault());
  adding.addEventListener('dragover', (event) => {
    event.preventDefault();
    adding.classList.add('is-over');
  });
  adding.addEventListener('dragleave', () => adding.classList.remove('is-over'));
  adding.addEventListener('drop', (event) => {
    event.preventDefault();
    adding.classList.remove('is-over');
    add(event.dataTransfer?.files ?? []);
  });
}

addEventListener('beforeunload', (event) => {
  if (sending) event.preventDefault();
});

// Names are kept as they are typed, so that nothing is lost with the page.
document.addEventListener('change', async ({ target }) => {
  const form = target instanceof HTMLInputElement && target.name !== 'agreed' ? target.closest('form.speakers') : null;
  if (!(form instanceof HTMLFormElement)) return;
  try {
    await post(form.action.replace(/start$/, 'speakers'), new URLSearchParams(/** @type {any} */ (new FormData(form))));
    if (/** @type {HTMLElement} */ (target).hasAttribute('data-separate')) refresh();
  } catch (error) {
    find('#coming-problem').textContent = reasonOf(error);
  }
});
