import assert from 'node:assert/strict';
import { test } from 'node:test';

import { grid, spotlight } from '../../static/js/room/layout.js';

const SIZES = [[320, 200], [390, 600], [844, 150], [1000, 700], [2560, 1300]];
const NEAR = 0.01;

/**
 * @param {import('../../static/js/room/layout.js').Rect[]} rects
 * @param {number} width
 * @param {number} height
 */
function standApart(rects, width, height) {
  for (const [place, a] of rects.entries()) {
    assert.ok(a.x >= -NEAR && a.y >= -NEAR && a.x + a.width <= width + NEAR && a.y + a.height <= height + NEAR, 'inside');
    for (const b of rects.slice(place + 1)) {
      const apart = a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y;
      assert.ok(apart, `${JSON.stringify(a)} over ${JSON.stringify(b)}`);
    }
  }
}

test('a grid shows everybody once, inside the stage and apart', () => {
  for (const [width, height] of SIZES) {
    for (const count of [1, 2, 3, 7, 26, 200]) {
      const { pages } = grid(count, width, height, 0);
      const seen = new Set();
      for (let page = 0; page < pages; page += 1) {
        const plan = grid(count, width, height, page);
        const shown = plan.rest.flatMap((rect, place) => (rect ? [[place, rect]] : []));
        for (const [place] of shown) seen.add(place);
        standApart([...shown.map(([, rect]) => rect), ...(pages > 1 ? [plan.pager] : [])], width, height);
      }
      assert.equal(seen.size, count, `${count} in ${width} × ${height}`);
    }
  }
});

test('a page that there is no more is the last one', () => {
  const { pages, page } = grid(200, 1000, 700, 99);
  assert.equal(page, pages - 1);
  assert.equal(grid(3, 1000, 700, -1).page, 0);
});

test('what is large stands beside the others', () => {
  for (const [width, height] of SIZES) {
    for (const [large, others] of [[1, 0], [1, 3], [2, 40]]) {
      const { main, rest, pages, pager } = spotlight(large, others, width, height, 0);
      assert.equal(main.length, large);
      const strip = rest.filter((rect) => rect !== null);
      standApart([...main, ...strip, ...(pages > 1 ? [pager] : [])], width, height);
      assert.ok(strip.every((rect) => rect.width * rect.height < main[0].width * main[0].height));
    }
  }
});
