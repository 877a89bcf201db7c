import { expect, test } from 'bun:test';
import { pollPace } from '../../../src/lib/poll-pace.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const SECOND = 1_000;

function begin(maxKeys = 10) {
  const clock = new ManualClock();
  return { clock, pace: pollPace({ clock, intervalMs: 5 * SECOND, maxKeys }) };
}

test('whoever waits as long as they were told is never too soon, also a little early', async () => {
  const { clock, pace } = begin();
  for (const wait of [0, 5, 5, 4, 4.5]) {
    await clock.advance(wait * SECOND);
    expect(pace.isTooSoon('a')).toBe(false);
  }
});

test('whoever asks too soon waits five seconds longer each time, from their last question', async () => {
  const { clock, pace } = begin();
  pace.isTooSoon('a');
  await clock.advance(SECOND);
  expect(pace.isTooSoon('a')).toBe(true);
  await clock.advance(7 * SECOND);
  expect(pace.isTooSoon('a')).toBe(true);
  await clock.advance(15 * SECOND);
  expect(pace.isTooSoon('a')).toBe(false);
  expect(pace.isTooSoon('b')).toBe(false);
});

test('a step of the wall clock makes nobody too soon', async () => {
  const { clock, pace } = begin();
  pace.isTooSoon('a');
  clock.setWall(0);
  await clock.advance(5 * SECOND);
  expect(pace.isTooSoon('a')).toBe(false);
});

test('what is remembered is bounded: whoever was forgotten is not too soon', () => {
  const { pace } = begin(2);
  for (const key of ['a', 'b', 'c']) pace.isTooSoon(key);
  expect(pace.isTooSoon('c')).toBe(true);
  expect(pace.isTooSoon('a')).toBe(false);
});
