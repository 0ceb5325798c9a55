/**
 * Asks anew for lines that somebody looks at while words may still come among them: what one person said is written down
 * later than another's, and of a recording one speaker after the other. The last lines ask by themselves.
 */

const LOOK_MS = 1_000;
const EVERY_MS = 10_000;

/** @type {WeakMap<Element, number>} when lines came, or were asked for */
const asked = new WeakMap();

/** @param {Element} part of the lines, which has no box of its own */
function isSeen(part) {
  const top = part.firstElementChild?.getBoundingClientRect().top ?? Infinity;
  const bottom = part.lastElementChild?.getBoundingClientRect().bottom ?? 0;
  return top < innerHeight && bottom > 0;
}

function look() {
  const now = Date.now();
  for (const part of document.querySelectorAll('#transcript [data-growing]')) {
    const before = asked.get(part);
    if (before === undefined) asked.set(part, now);
    else if (now - before >= EVERY_MS && !document.hidden && isSeen(part)) {
      asked.set(part, now);
      part.dispatchEvent(new Event('grow'));
    }
  }
}

look();
setInterval(look, LOOK_MS);
