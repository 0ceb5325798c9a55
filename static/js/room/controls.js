/** The buttons at the thumb. A label always says what is, never what a click would do. */

import { find } from '../lib/dom.js';
import { t } from '../lib/words.js';

export class Controls {
  #mic = find('[data-mic]');
  #camera = /** @type {HTMLButtonElement} */ (find('[data-camera]'));
  #share = /** @type {HTMLButtonElement} */ (find('[data-share]'));
  #hand = find('[data-hand]');
  #level = find('[data-level]');
  #shortcuts = /** @type {HTMLDialogElement} */ (find('[data-shortcuts-dialog]'));
  #menus = /** @type {HTMLElement[]} */ ([find('[data-reactions]'), find('[data-more-menu]')]);

  /**
   * @param {import('./state.js').State} state
   * @param {import('./actions.js').Actions} actions
   */
  constructor(state, actions) {
    state.on(['me', 'call'], ({ me, call }) => this.#draw(me, call));
    state.when('level', (level) => this.#level.style.setProperty('--level', level.toFixed(2)));
    actions.on('shortcuts', () => this.#shortcuts.showModal());
    // After what the click does: a dialog remembers what had the focus.
    document.addEventListener('click', (event) => this.#settle(event));
    this.#share.hidden = !navigator.mediaDevices?.getDisplayMedia;
    find('[data-full-screen]').hidden = !document.fullscreenEnabled;
  }

  /**
   * @param {import('../types').Truth['me']} me
   * @param {import('../types').Truth['call']} call
   */
  #draw({ microphone, camera, person }, call) {
    press(this.#mic, microphone.isOn, '[data-mic-text]', microphone.isOn ? t('Mic on') : t('Mic off'));
    press(this.#camera, camera.isOn, '[data-camera-text]', camera.isOn ? t('Camera on') : t('Camera off'));
    press(this.#share, call.sharing, '[data-share-text]', call.sharing ? t('Sharing') : t('Share'));
    press(this.#hand, Boolean(person.hand), '[data-hand-text]', person.hand ? t('Hand up') : t('Hand'));
    // A camera that is on can always be turned off.
    this.#camera.disabled = call.state !== 'live' && !camera.isOn;
    this.#share.disabled = call.state !== 'live';
  }

  /**
   * After a click with the mouse the focus doesn't stay, so that space talks instead of clicking again; a menu closes.
   * @param {MouseEvent} event
   */
  #settle({ target, detail }) {
    const button = target instanceof Element ? target.closest('[data-controls] button') : null;
    if (!(button instanceof HTMLElement)) return;
    if (detail > 0) button.blur();
    if (button.hasAttribute('popovertarget')) return;
    for (const menu of this.#menus) if (menu.contains(button) && menu.matches(':popover-open')) menu.hidePopover();
  }
}

/**
 * @param {Element} button
 * @param {boolean} on
 * @param {string} label
 * @param {string} words of which the first is the button's name, in every language
 */
function press(button, on, label, words) {
  const text = find(label);
  button.setAttribute('aria-pressed', String(on));
  if (text.dataset.words === words) return;
  text.dataset.words = words;
  // "Mic on, pressed" would say it twice: the name is "Mic", and whether it is pressed says the rest.
  const [name, ...state] = words.split(' ');
  const seen = document.createElement('span');
  seen.ariaHidden = 'true';
  seen.textContent = state.map((word) => ` ${word}`).join('');
  text.replaceChildren(name, seen);
}
