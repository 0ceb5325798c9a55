import assert from 'node:assert/strict';
import { test } from 'node:test';

import { AudioRing } from '../../static/js/room/ring.js';

const FRAME = 640;

/**
 * @param {AudioRing} ring
 * @param {number} from
 * @param {number} until
 */
function speak(ring, from, until) {
  // Every frame is full of its own number.
  for (let at = from; at < until; at += FRAME) ring.keep(at, new Uint8Array(new Int16Array(FRAME).fill(at / FRAME).buffer));
}

/**
 * @param {AudioRing} ring
 * @param {number} index
 * @returns {number[]} the samples that are sent from there on
 */
function sent(ring, index) {
  const all = [];
  for (let piece; (piece = ring.next(index)); index = piece.end) {
    assert.ok(piece.end - piece.index >= 320 && piece.end - piece.index <= 1600, 'as long as the server takes');
    const skip = Math.max(0, index - piece.index);
    all.push(...new Int16Array(piece.bytes.slice().buffer).subarray(skip));
  }
  return all;
}

test('what was kept is sent once, in its order, from any sample on', () => {
  const ring = new AudioRing(1_000_000);
  speak(ring, 0, 50 * FRAME);
  const said = Array.from({ length: 50 * FRAME }, (_, sample) => Math.floor(sample / FRAME));
  for (const index of [0, 1, 12_345, 50 * FRAME - 1]) assert.deepEqual(sent(ring, index), said.slice(index));
  assert.deepEqual(sent(ring, 50 * FRAME), []);
  assert.equal(ring.after(12_345), 50 * FRAME - 12_345);
});

test('what is text is let go, and isn’t lost', () => {
  const ring = new AudioRing(1_000_000);
  speak(ring, 0, 50 * FRAME);
  ring.settle(25 * FRAME);
  assert.equal(ring.size, 25 * FRAME, 'a whole second was let go');
  assert.equal(ring.lostFrom(0), undefined);
});

test('the oldest has to go first, and is told as lost until it is settled', () => {
  const ring = new AudioRing(3 * 16_000);
  speak(ring, 0, 5 * 16_000);
  assert.ok(ring.size <= 3 * 16_000);
  assert.deepEqual(ring.lostFrom(0), { from: 0, until: 2 * 16_000 });
  assert.deepEqual(ring.lostFrom(16_000), { from: 16_000, until: 2 * 16_000 });
  assert.equal(ring.lostFrom(2 * 16_000), undefined);
  ring.settle(2 * 16_000);
  assert.equal(ring.lostFrom(0), undefined);
});

test('a microphone that was off is no loss', () => {
  const ring = new AudioRing(1_000_000);
  speak(ring, 0, 10 * FRAME);
  speak(ring, 1_000 * FRAME, 1_010 * FRAME);
  assert.equal(ring.lostFrom(0), undefined);
  assert.equal(ring.after(0), 20 * FRAME);
});
