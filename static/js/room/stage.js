/** Everybody's tiles: a grid, or a few large with the others in a strip, in pages where they don't all fit. */

import { find } from '../lib/dom.js';
import { t } from '../lib/words.js';
import { grid, spotlight } from './layout.js';
import { put, Tile } from './tile.js';

/** @typedef {import('../types').Face} Face */

// Behind an identity: the screen that is shared by it.
const SCREEN = '#screen';

export class Stage {
  #area = find('[data-stage]');
  #list = find('[data-tiles]');
  #invite = find('[data-invite]');
  #pager = find('[data-pager]');
  /** @type {Map<string, Tile>} as `call.pictures` names them */
  #tiles = new Map();
  /** @type {import('../types').Truth['call']['pictures']} */
  #pictures = new Map();
  /** @type {Map<string, Face>} */
  #faces = new Map();
  /** @type {string[]} */
  #order = [];
  /** @type {Map<string, number>} when who was heard last */
  #heard = new Map();
  #pinned = '';
  #page = 0;
  #me = '';

  /** @param {import('./state.js').State} state */
  constructor(state) {
    find('[data-previous]', this.#pager).addEventListener('click', () => this.#turn(-1));
    find('[data-next]', this.#pager).addEventListener('click', () => this.#turn(1));
    this.#list.addEventListener('keydown', (event) => this.#walk(event));
    new ResizeObserver(() => this.#arrange()).observe(this.#area);
    state.on(['faces', 'call'], ({ faces, call }) => this.#draw(faces, call.pictures));
    state.on(['session'], ({ session }) => session.others_came && this.#company());
    state.when('reaction', ({ identity, emoji }) => this.#tiles.get(identity)?.react(emoji));
  }

  /**
   * @param {Face[]} faces everybody who is here now, in the order of arrival
   * @param {import('../types').Truth['call']['pictures']} pictures
   */
  #draw(faces, pictures) {
    for (const [key, tile] of this.#tiles) {
      if (pictures.get(key) !== this.#pictures.get(key)) tile.picture(pictures.get(key) ?? null);
    }
    this.#pictures = pictures;
    this.#faces = new Map(faces.map((face) => [face.identity, face]));
    this.#me = faces.find(({ me }) => me)?.identity ?? '';
    for (const face of faces) if (face.speaking) this.#heard.set(face.identity, Date.now());
    this.#invite.hidden = faces.length > 1;
    if (faces.length > 1) this.#company();
    this.#list.dataset.count = String(faces.length);
    this.#refresh();
  }

  /** Somebody else is or was here: who is alone from now on isn't the first. */
  #company() {
    find('[data-invite-words]').textContent = t('Everybody else has left.');
  }

  #refresh() {
    const wanted = new Set([...this.#pictures.keys()].filter((key) => key.endsWith(SCREEN) && this.#faces.has(identityOf(key))));
    for (const identity of this.#faces.keys()) wanted.add(identity);
    for (const [key, tile] of this.#tiles) if (!wanted.has(key)) this.#remove(key, tile);
    for (const key of wanted) {
      const face = /** @type {Face} */ (this.#faces.get(identityOf(key)));
      (this.#tiles.get(key) ?? this.#add(key)).draw(face);
    }
    this.#arrange();
  }

  /** @param {string} key */
  #add(key) {
    const tile = new Tile(key.endsWith(SCREEN), () => this.#pin(key));
    tile.picture(this.#pictures.get(key) ?? null);
    this.#tiles.set(key, tile);
    this.#order.push(key);
    this.#list.append(tile.element);
    return tile;
  }

  /**
   * @param {string} key
   * @param {Tile} tile
   */
  #remove(key, tile) {
    tile.element.remove();
    this.#tiles.delete(key);
    this.#order.splice(this.#order.indexOf(key), 1);
    if (key === this.#pinned) this.#pinned = '';
  }

  /** @param {string} key */
  #pin(key) {
    this.#pinned = key === this.#pinned ? '' : key;
    for (const [other, tile] of this.#tiles) tile.pinned(other === this.#pinned);
    this.#arrange();
  }

  /** @param {number} step */
  #turn(step) {
    this.#page += step;
    this.#arrange();
  }

  /** What is large: the pinned tile, else every screen that somebody else shares. */
  #large() {
    if (this.#pinned) return [this.#pinned];
    return this.#order.filter((key) => key.endsWith(SCREEN) && identityOf(key) !== this.#me);
  }

  #arrange() {
    const { clientWidth: width, clientHeight: height } = this.#area;
    if (!width || !height) return;
    const large = this.#large();
    const rest = this.#order.filter((key) => !large.includes(key));
    const { main, rest: rects, pages, page, pager } = large.length
      ? spotlight(large.length, rest.length, width, height, this.#page)
      : grid(rest.length, width, height, this.#page);
    this.#page = page;
    if (pages > 1 && page === 0) this.#bringSpeakers(rest, rects.filter(Boolean).length);
    large.forEach((key, place) => this.#tiles.get(key)?.place(main[place], true));
    rest.forEach((key, place) => this.#tiles.get(key)?.place(rects[place], !large.length && rest.length === 1));
    this.#drawPager(pages, pager);
    this.#setTabStop([...large, ...rest.filter((_, place) => rects[place])]);
  }

  /**
   * Who speaks beyond the first page changes places with who was silent there for longest.
   * @param {string[]} rest
   * @param {number} shown
   */
  #bringSpeakers(rest, shown) {
    for (const key of rest.slice(shown)) {
      if (!this.#faces.get(key)?.speaking) continue;
      const candidates = rest.slice(0, shown).filter((other) => other !== this.#me && !this.#faces.get(other)?.speaking);
      const quietest = candidates.sort((a, b) => (this.#heard.get(a) ?? 0) - (this.#heard.get(b) ?? 0))[0];
      if (!quietest) break;
      swap(this.#order, key, quietest);
      swap(rest, key, quietest);
    }
  }

  /**
   * @param {number} pages
   * @param {import('./layout.js').Rect} rect
   */
  #drawPager(pages, rect) {
    this.#pager.hidden = pages < 2;
    put(this.#pager, rect);
    find('[data-page]', this.#pager).textContent = `${this.#page + 1} / ${pages}`;
    /** @type {HTMLButtonElement} */ (find('[data-previous]', this.#pager)).disabled = this.#page === 0;
    /** @type {HTMLButtonElement} */ (find('[data-next]', this.#pager)).disabled = this.#page >= pages - 1;
  }

  /** @param {string[]} shown one of them takes Tab; arrow keys go on from there */
  #setTabStop(shown) {
    const focused = shown.find((key) => this.#tiles.get(key)?.element.contains(document.activeElement)) ?? shown[0];
    for (const [key, tile] of this.#tiles) tile.tabStop(key === focused);
  }

  /** @param {KeyboardEvent} event */
  #walk(event) {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const shown = [...this.#tiles.values()].filter(({ element }) => !element.hidden);
    const place = shown.findIndex(({ element }) => element.contains(document.activeElement));
    if (!step || place < 0) return;
    event.preventDefault();
    const next = shown[(place + step + shown.length) % shown.length];
    for (const tile of this.#tiles.values()) tile.tabStop(tile === next);
    next.focus();
  }
}

/** @param {string} identity @returns {string} under which its shared screen stands in `call.pictures` */
export function screenOf(identity) {
  return identity + SCREEN;
}

/** @param {string} key */
function identityOf(key) {
  return key.endsWith(SCREEN) ? key.slice(0, -SCREEN.length) : key;
}

/**
 * @param {string[]} list
 * @param {string} one
 * @param {string} other
 */
function swap(list, one, other) {
  const [a, b] = [list.indexOf(one), list.indexOf(other)];
  [list[a], list[b]] = [list[b], list[a]];
}
