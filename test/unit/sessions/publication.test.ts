import { describe, expect, test } from 'bun:test';
import { publication } from '../../../src/sessions/publication.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const TIMEOUT_MS = 2_000;

/** An outbox that is what the test says. */
function looking() {
  const clock = new ManualClock();
  const rows: { id: number; at: number }[] = [];
  let newest = 0;
  const publishedUntil = publication({ oldest: () => rows[0], newestEver: () => newest }, TIMEOUT_MS, clock);
  return {
    clock,
    publishedUntil,
    add: () => void rows.push({ id: ++newest, at: clock.now() }),
    publish: () => void rows.shift(),
  };
}

describe('what is published', () => {
  test('is everything until now where nothing waits', async () => {
    const o = looking();
    expect(o.publishedUntil()).toBe(0);
    o.add();
    o.publish();
    await o.clock.advance(50);
    expect(o.publishedUntil()).toBe(50);
  });

  test('is everything until the last look before what waits', async () => {
    const o = looking();
    o.publishedUntil();
    await o.clock.advance(1_000);
    o.publishedUntil();
    await o.clock.advance(500);
    o.add();
    await o.clock.advance(500);
    expect(o.publishedUntil()).toBe(1_000);
    await o.clock.advance(1_000);
    expect(o.publishedUntil()).toBe(1_000);
    o.add();
    await o.clock.advance(1_000);
    // The first waits for too long.
    expect(o.publishedUntil()).toBeUndefined();
    o.publish();
    // The second was not there when this was looked at.
    expect(o.publishedUntil()).toBe(3_000);
    o.publish();
    expect(o.publishedUntil()).toBe(4_000);
  });

  test('is unknown of what was there at the first look', async () => {
    const o = looking();
    o.add();
    expect(o.publishedUntil()).toBeUndefined();
    o.publish();
    expect(o.publishedUntil()).toBe(0);
  });

  test.each([-3_600_000, -60_000, 3_600_000])(
    'is not judged by a wall clock that leaps by %d ms',
    async (leap) => {
      const o = looking();
      o.publishedUntil();
      await o.clock.advance(100);
      o.add();
      o.clock.setWall(o.clock.now() + leap);
      expect(o.publishedUntil()).toBe(leap > 0 ? undefined : 0);
      await o.clock.advance(TIMEOUT_MS);
      o.publishedUntil();
      await o.clock.advance(1);
      expect(o.publishedUntil()).toBeUndefined();
    },
  );

  test('is known again after many looks at something that waited for long', async () => {
    const o = looking();
    o.publishedUntil();
    o.add();
    for (let look = 0; look < 1_000; look++) {
      await o.clock.advance(1_000);
      o.publishedUntil();
    }
    o.add();
    o.publish();
    o.publishedUntil();
    await o.clock.advance(1_000);
    o.publish();
    expect(o.publishedUntil()).toBe(o.clock.monotonicNow());
  });
});
