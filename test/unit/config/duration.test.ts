import { expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { formatDuration, parseDuration } from '../../../src/config/duration.ts';

test.each([
  ['250ms', 250],
  ['1s', 1000],
  ['1.5h', 5_400_000],
  ['24h', 86_400_000],
  ['0s', 0],
  ['0.4ms', 0],
  ['s', undefined],
  ['5', undefined],
  ['-5s', undefined],
  ['5 s', undefined],
  ['5S', undefined],
  ['1e3s', undefined],
  ['5w', undefined],
  ['', undefined],
])('%j is %p', (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test('what is written is read back', () => {
  const duration = fc.integer({ min: 1, max: 3650 * 86_400_000 });
  fc.assert(fc.property(duration, (ms) => expect(parseDuration(formatDuration(ms))).toBe(ms)));
  expect([90_000, 86_400_000, 1500].map(formatDuration)).toEqual(['90s', '1d', '1500ms']);
});
