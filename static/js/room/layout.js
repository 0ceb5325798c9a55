/** Where tiles stand: pure arithmetic from the stage's size to rectangles. Lengths are CSS pixels. */

/** @typedef {{ x: number, y: number, width: number, height: number }} Rect */
/**
 * @typedef {object} Plan
 * @property {Rect[]} main
 * @property {(Rect | null)[]} rest null for who is on another page
 * @property {number} pages
 * @property {number} page
 * @property {Rect} pager where the buttons to the other pages stand
 */

const WIDEST = 16 / 9;
const GAP = 10;
const MOST = 25;
const PAGER = { width: 112, height: 40 };
const NARROW = 600;
const FLAT = 180;

/** @param {number} width of the stage */
function limits(width) {
  return width < NARROW ? { wide: 104, high: 84, slimmest: 0.75 } : { wide: 168, high: 112, slimmest: 1 };
}

/**
 * The biggest equal tiles that fit.
 * @param {number} count
 * @param {number} width
 * @param {number} height
 */
function fit(count, width, height) {
  const { slimmest } = limits(width);
  let best = { columns: 1, width: 0, height: 0 };
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const cell = { width: (width - GAP * (columns - 1)) / columns, height: (height - GAP * (rows - 1)) / rows };
    const tile = { width: Math.min(cell.width, cell.height * WIDEST), height: Math.min(cell.height, cell.width / slimmest) };
    if (tile.width * tile.height > best.width * best.height) best = { columns, ...tile };
  }
  return best;
}

/**
 * How many tiles one page holds without any of them becoming too small.
 * @param {number} count
 * @param {number} width
 * @param {number} height
 */
function capacity(count, width, height) {
  const least = limits(width);
  for (let some = Math.min(count, MOST); some > 1; some -= 1) {
    const tile = fit(some, width, height);
    if (tile.width >= least.wide && tile.height >= least.high) return some;
  }
  return 1;
}

/**
 * Rows from the top, the last one centred, the whole in the middle of the area.
 * @param {number} count
 * @param {{ columns: number, width: number, height: number }} tile
 * @param {Rect} area
 * @returns {Rect[]}
 */
function rows(count, tile, area) {
  const lines = Math.ceil(count / tile.columns);
  const top = area.y + (area.height - lines * (tile.height + GAP) + GAP) / 2;
  return Array.from({ length: count }, (_, place) => {
    const line = Math.floor(place / tile.columns);
    const inLine = Math.min(tile.columns, count - line * tile.columns);
    const left = area.x + (area.width - inLine * (tile.width + GAP) + GAP) / 2;
    return {
      x: left + (place % tile.columns) * (tile.width + GAP),
      y: top + line * (tile.height + GAP),
      width: tile.width,
      height: tile.height,
    };
  });
}

/**
 * @param {number} count
 * @param {number} perPage
 * @param {number} wanted page
 * @param {(count: number) => Rect[]} draw the rectangles of one page
 */
function paged(count, perPage, wanted, draw) {
  const pages = Math.max(1, Math.ceil(count / perPage));
  const page = Math.min(Math.max(0, wanted), pages - 1);
  const first = page * perPage;
  const shown = draw(Math.min(perPage, count - first));
  return { rest: Array.from({ length: count }, (_, place) => shown[place - first] ?? null), pages, page };
}

/**
 * Everybody alike.
 * @param {number} count
 * @param {number} width
 * @param {number} height
 * @param {number} page wanted
 * @returns {Plan}
 */
export function grid(count, width, height, page) {
  const all = capacity(count, width, height);
  const paging = all < count;
  const area = { x: 0, y: 0, width, height };
  if (paging && height < FLAT) area.width -= PAGER.width;
  else if (paging) area.height -= PAGER.height;
  const perPage = paging ? capacity(count, area.width, area.height) : Math.max(1, all);
  const tile = fit(perPage, area.width, area.height);
  const pager =
    area.width < width
      ? { x: area.width, y: 0, width: PAGER.width, height }
      : { x: 0, y: height - PAGER.height, width, height: PAGER.height };
  return { main: [], pager, ...paged(count, perPage, page, (some) => rows(some, tile, area)) };
}

/**
 * A few large, the others in a strip: beside them on a wide stage, below them on a high one. A flat one has no room for it.
 * @param {number} large
 * @param {number} others
 * @param {number} width
 * @param {number} height
 * @param {number} page wanted
 * @returns {Plan}
 */
export function spotlight(large, others, width, height, page) {
  if (height < FLAT) return alone(large, others, width, height);
  const beside = width >= NARROW && width > height * 1.15;
  const strip = Math.round(beside ? clamp(width * 0.2, 120, 220) : clamp(height * 0.2, 72, width < NARROW ? 84 : 110));
  const taken = others ? strip + GAP : 0;
  const area = beside ? { x: 0, y: 0, width: width - taken, height } : { x: 0, y: 0, width, height: height - taken };
  const tile = beside ? { width: strip, height: Math.round(strip / 1.5) } : { width: Math.round(strip * 1.25), height: strip };
  const [line, length] = beside ? [height, tile.height] : [width, tile.width];
  const paging = others > countIn(line, length);
  const room = paging ? line - (beside ? PAGER.height : PAGER.width) : line;
  const draw = (/** @type {number} */ some) => {
    const start = Math.max(0, (room - some * (length + GAP) + GAP) / 2);
    return Array.from({ length: some }, (_, place) => {
      const along = start + place * (length + GAP);
      return beside ? { x: width - strip, y: along, ...tile } : { x: along, y: height - strip, ...tile };
    });
  };
  const pager = beside
    ? { x: width - strip, y: height - PAGER.height, width: strip, height: PAGER.height }
    : { x: width - PAGER.width, y: height - strip, width: PAGER.width, height: strip };
  return { main: filled(large, area), pager, ...paged(others, countIn(room, length), page, draw) };
}

/**
 * @param {number} large
 * @param {number} others
 * @param {number} width
 * @param {number} height
 * @returns {Plan}
 */
function alone(large, others, width, height) {
  const area = { x: 0, y: 0, width, height };
  return { main: filled(large, area), rest: Array(others).fill(null), pages: 1, page: 0, pager: area };
}

/**
 * @param {number} line
 * @param {number} length of one tile
 */
function countIn(line, length) {
  return Math.max(1, Math.floor((line + GAP) / (length + GAP)));
}

/**
 * @param {number} value
 * @param {number} least
 * @param {number} most
 */
function clamp(value, least, most) {
  return Math.min(most, Math.max(least, value));
}

/**
 * Tiles that use all of the area: pictures inside keep their own shape.
 * @param {number} count
 * @param {Rect} area
 */
function filled(count, area) {
  const { columns } = fit(count, area.width, area.height);
  const lines = Math.ceil(count / columns);
  const tile = {
    columns,
    width: (area.width - GAP * (columns - 1)) / columns,
    height: (area.height - GAP * (lines - 1)) / lines,
  };
  return rows(count, tile, area);
}
