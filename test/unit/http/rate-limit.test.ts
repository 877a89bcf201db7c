import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { addressKey, rateLimiter } from '../../../src/http/rate-limit.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const WINDOW_MS = 60_000;

function setUp(limit: number, maxKeys = 100) {
  const clock = new ManualClock();
  return { clock, limiter: rateLimiter({ clock, limit, windowMs: WINDOW_MS, maxKeys }) };
}

describe('a limit', () => {
  test('lets through what it says and tells when the next may come', async () => {
    const { clock, limiter } = setUp(3);
    for (let i = 0; i < 3; i++) expect(limiter.take('a')).toEqual({ ok: true });
    expect(limiter.take('a')).toEqual({ ok: false, retryAfterSeconds: 20 });
    await clock.advance(19_999);
    expect(limiter.take('a').ok).toBe(false);
    await clock.advance(1);
    expect(limiter.take('a')).toEqual({ ok: true });
    expect(limiter.take('a').ok).toBe(false);
  });

  test('is whole again after a window', async () => {
    const { clock, limiter } = setUp(3);
    for (let i = 0; i < 5; i++) limiter.take('a');
    await clock.advance(WINDOW_MS);
    for (let i = 0; i < 3; i++) expect(limiter.take('a').ok).toBe(true);
  });

  test('counts each key for itself', () => {
    const { limiter } = setUp(1);
    expect(limiter.take('a').ok).toBe(true);
    expect(limiter.take('b').ok).toBe(true);
    expect(limiter.take('a').ok).toBe(false);
  });

  test('counts nothing when it is only asked, and forgets when told', () => {
    const { limiter } = setUp(1);
    for (let i = 0; i < 3; i++) expect(limiter.peek('a').ok).toBe(true);
    limiter.take('a');
    expect(limiter.peek('a').ok).toBe(false);
    limiter.reset('a');
    expect(limiter.take('a').ok).toBe(true);
  });

  test('charges more for what costs more', () => {
    const { limiter } = setUp(10);
    expect(limiter.take('a', 8).ok).toBe(true);
    expect(limiter.take('a', 3).ok).toBe(false);
    expect(limiter.take('a', 2).ok).toBe(true);
  });

  test('does not heed steps of the wall clock', () => {
    const { clock, limiter } = setUp(1);
    limiter.take('a');
    clock.setWall(clock.now() + 10 * WINDOW_MS);
    expect(limiter.take('a').ok).toBe(false);
  });

  test('remembers no more keys than it may', () => {
    const { limiter } = setUp(1, 2);
    for (const key of ['a', 'b', 'c']) limiter.take(key);
    expect(limiter.peek('a').ok).toBe(true);
    expect(limiter.peek('c').ok).toBe(false);
  });

  test('never lets through more than twice itself in any window', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 7 }),
        fc.array(fc.nat(30_000), { maxLength: 60 }),
        async (limit, waits) => {
          const { clock, limiter } = setUp(limit);
          const passed: number[] = [];
          for (const wait of waits) {
            await clock.advance(wait);
            if (limiter.take('a').ok) passed.push(clock.monotonicNow());
          }
          for (const from of passed) {
            expect(passed.filter((at) => at >= from && at < from + WINDOW_MS).length).toBeLessThanOrEqual(
              2 * limit,
            );
          }
        },
      ),
      { numRuns: 30 },
    );
  });
});

describe('an address counts as', () => {
  test.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2:ffff::', '2001:db8:1:2::/64'],
    ['2001:db8:1:3::1', '2001:db8:1:3::/64'],
    ['::1', '::/64'],
    ['unknown', 'unknown'],
  ])('%s: %s', (address, key) => {
    expect(addressKey(address)).toBe(key);
  });
});
