import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Resampler } from '../../static/js/room/resampler.js';

const RATE = 16_000;
const BLOCK = 128; // as an AudioWorklet gives it
const SECONDS = 2;
const EDGE = 400; // samples at both ends, where the sweep begins and stops at once

/** A sine that rises from 100 Hz, at `seconds`. @param {number} seconds @param {number} top in hertz at the end */
function sweep(seconds, top) {
  return 0.5 * Math.sin(2 * Math.PI * (100 * seconds + ((top - 100) * seconds * seconds) / (2 * SECONDS)));
}

/**
 * @param {number} rate
 * @param {(seconds: number) => number} sound
 * @returns {number[]} what comes out of two seconds of it
 */
function resampled(rate, sound) {
  const resampler = new Resampler(rate, RATE);
  const out = /** @type {number[]} */ ([]);
  for (let at = 0; at < rate * SECONDS; at += BLOCK) {
    resampler.push(Float32Array.from({ length: BLOCK }, (_, place) => sound((at + place) / rate)), (sample) => out.push(sample));
  }
  return out;
}

/** @param {number[]} samples */
function power(samples) {
  return samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
}

/** @param {number} a @param {number} b */
function decibels(a, b) {
  return 10 * Math.log10(a / b);
}

/** The same sweep, computed at 16 kHz: what the resampler should give. @param {number} rate */
function ratio(rate) {
  const out = resampled(rate, (seconds) => sweep(seconds, 6_000)).slice(EDGE, -EDGE);
  const ideal = out.map((_, place) => sweep((place + EDGE) / RATE, 6_000));
  return decibels(power(ideal), power(out.map((sample, place) => sample - ideal[place])));
}

test('a sweep from 100 Hz to 6 kHz comes out as if it had been computed at 16 kHz', () => {
  // Measured: 86.6 dB from 48 kHz, where the filter meets each place exactly; 65.2 dB from 44.1 kHz, where it takes the
  // nearest of 256. A voice in a quiet room is 40 dB above its noise.
  assert.ok(ratio(48_000) > 86);
  assert.ok(ratio(96_000) > 86);
  assert.ok(ratio(44_100) > 64);
});

test('what is too high for 16 kHz is gone rather than heard as something else', () => {
  // Measured: 59 dB down at 8.5 kHz, where the slope ends, 84 dB and more from 9 kHz on.
  for (const rate of [44_100, 48_000]) {
    for (const [hertz, least] of [[8_500, 58], [9_000, 83], [12_000, 83], [20_000, 83]]) {
      const out = resampled(rate, (seconds) => 0.5 * Math.sin(2 * Math.PI * hertz * seconds)).slice(EDGE, -EDGE);
      assert.ok(decibels(0.125, power(out)) > least, `${hertz} Hz from ${rate}`);
    }
  }
});

test('the blocks in which sound comes don’t matter', () => {
  const rate = 44_100;
  const sound = Float32Array.from({ length: 5_000 }, (_, place) => sweep(place / rate, 6_000));
  const all = (/** @type {number[]} */ ...lengths) => {
    const resampler = new Resampler(rate, RATE);
    const out = /** @type {number[]} */ ([]);
    for (let at = 0, turn = 0; at < sound.length; at += lengths[turn++ % lengths.length]) {
      resampler.push(sound.subarray(at, at + lengths[turn % lengths.length]), (sample) => out.push(sample));
    }
    return out;
  };
  const whole = all(sound.length);
  for (const lengths of [[128], [1, 7, 900]]) {
    const parts = all(...lengths);
    assert.equal(parts.length, whole.length);
    // A place is a sum of steps, which rounds a little differently with each way to add them up.
    assert.ok(parts.every((sample, place) => Math.abs(sample - whole[place]) < 0.005));
  }
});
