import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { type NonceLimits, nonceMemory } from '../../../src/devices/nonces.ts';
import type { SessionId } from '../../../src/sessions/model.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const board = { id: 'ses_board' as SessionId, createdAt: 0 };
const camera = { id: 'ses_camera' as SessionId, createdAt: 0 };

const SMALL: NonceLimits = { perSlice: 4, slices: 3, inAll: 20 };

function memory(limits?: NonceLimits, floor = 0) {
  const clock = new ManualClock();
  const nonces = nonceMemory({ clock, keptMs: 120_000, floorOf: () => floor, ...(limits && { limits }) });
  const seconds = () => Math.floor(clock.now() / 1_000);
  return { clock, nonces, seconds };
}

describe('the memory of nonces', () => {
  test('knows each nonce of each session once', () => {
    const { nonces, seconds } = memory();
    expect(nonces.take(board, 'one', seconds())).toBe('fresh');
    expect(nonces.take(board, 'one', seconds())).toBe('replayed');
    expect(nonces.take(board, 'one', seconds() - 9)).toBe('replayed');
    expect(nonces.take(camera, 'one', seconds())).toBe('fresh');
    expect(nonces.take(board, 'two', seconds())).toBe('fresh');
    expect(nonces.size).toBe(3);
  });

  test('keeps them for two minutes at least, and then lets go of them', async () => {
    const { clock, nonces, seconds } = memory();
    const created = seconds();
    nonces.take(board, 'one', created);
    for (let second = 0; second < 119; second++) {
      await clock.advance(1_000);
      expect(nonces.take(board, 'one', created)).toBe('replayed');
    }
    await clock.advance(60_000);
    expect(nonces.take(camera, 'other', seconds())).toBe('fresh');
    expect(nonces.size).toBe(1);
  });

  test('what it has let go of counts as used, also when the wall clock is set back', async () => {
    const { clock, nonces, seconds } = memory();
    const created = seconds();
    nonces.take(board, 'one', created);
    await clock.advance(200_000);
    nonces.take(camera, 'other', seconds());
    clock.setWall(created * 1_000);
    expect(nonces.take(board, 'one', created)).toBe('stale');
    expect(nonces.take(camera, 'another', created)).toBe('stale');
    expect(nonces.take(board, 'two', created + 1)).toBe('fresh');
  });

  test('a floor of a clock that was far ahead shuts nobody out once that is mended', async () => {
    const { clock, nonces, seconds } = memory();
    const right = clock.now();
    clock.setWall(right + 7_200_000);
    nonces.take(board, 'one', seconds());
    await clock.advance(200_000);
    nonces.take(camera, 'two', seconds());
    clock.setWall(right + 200_000);
    expect(nonces.take(board, 'three', seconds())).toBe('fresh');
  });

  test('begins with what a session may have used before', () => {
    const { seconds } = memory();
    const { nonces } = memory(undefined, seconds());
    expect(nonces.take(board, 'one', seconds() - 1)).toBe('stale');
    expect(nonces.take(board, 'two', seconds())).toBe('stale');
    expect(nonces.take(board, 'three', seconds() + 1)).toBe('fresh');
  });

  test('a device that signs more than there is room for narrows its own window alone', async () => {
    const { clock, nonces, seconds } = memory(SMALL);
    const early = seconds();
    expect(nonces.take(camera, 'early', early)).toBe('fresh');
    for (let each = 0; each < 40; each++) {
      await clock.advance(1_000);
      expect(nonces.take(board, `n${each}`, seconds())).toBe('fresh');
    }
    expect(nonces.size).toBeLessThanOrEqual(SMALL.perSlice * SMALL.slices + 1);
    expect(nonces.take(board, 'late', early)).toBe('stale');
    expect(nonces.take(camera, 'late', early)).toBe('fresh');
  });

  test('a flood within one second is stopped until the next', async () => {
    const { clock, nonces, seconds } = memory(SMALL);
    const verdicts = Array.from({ length: 30 }, (_, each) => nonces.take(board, `n${each}`, seconds()));
    expect(verdicts.filter((verdict) => verdict === 'fresh')).toHaveLength(SMALL.perSlice * SMALL.slices + 1);
    await clock.advance(1_000);
    expect(nonces.take(board, 'next', seconds())).toBe('fresh');
  });

  test('all sessions together have a bound; the one with the most gives way', async () => {
    const { clock, nonces, seconds } = memory({ perSlice: 4, slices: 100, inAll: 20 });
    nonces.take(camera, 'only', seconds());
    for (let each = 0; each < 60; each++) {
      await clock.advance(100);
      nonces.take(board, `n${each}`, seconds());
      expect(nonces.size).toBeLessThanOrEqual(20);
    }
    expect(nonces.take(camera, 'only', seconds())).toBe('replayed');
  });
});

test('whatever comes, nothing is taken twice, and memory stays within its bound', async () => {
  const step = fc.oneof(
    fc.record({
      kind: fc.constant('take' as const),
      who: fc.constantFrom(board, camera),
      nonce: fc.integer({ min: 0, max: 25 }),
      skew: fc.integer({ min: -60, max: 30 }),
    }),
    fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 100_000 }) }),
    fc.record({ kind: fc.constant('set' as const), ms: fc.integer({ min: -25_000, max: 25_000 }) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 120 }), async (steps) => {
      const { clock, nonces, seconds } = memory(SMALL);
      const taken = new Set<string>();
      for (const each of steps) {
        if (each.kind === 'pass') await clock.advance(each.ms);
        else if (each.kind === 'set') clock.setWall(clock.now() + each.ms);
        else {
          const created = seconds() + each.skew;
          const signature = `${each.who.id} ${each.nonce} ${created}`;
          const verdict = nonces.take(each.who, String(each.nonce), created);
          if (verdict === 'fresh' && taken.has(signature)) return false;
          if (verdict === 'fresh') taken.add(signature);
          if (nonces.size > SMALL.inAll) return false;
        }
      }
      return true;
    }),
    { numRuns: 500 },
  );
});
