import { describe, expect, test } from 'bun:test';
import type { ReadinessCheck } from '../../../src/ops/model.ts';
import { readiness } from '../../../src/ops/readiness.ts';
import { ManualClock, settle } from '../../support/manual-clock.ts';
import { recordedLog } from '../../support/silent-log.ts';

function setUp(parts: Record<string, ReadinessCheck | undefined>) {
  const clock = new ManualClock();
  const log = recordedLog();
  return { clock, log, probe: readiness({ parts, clock, log }) };
}

const works: ReadinessCheck = async () => {};
const fails: ReadinessCheck = async () => {
  throw new Error('redis://user:hunter2@redis.example refused');
};
const hangs: ReadinessCheck = () => new Promise(() => {});

describe('readiness', () => {
  test('is there when everything that is on works', async () => {
    const { probe } = setUp({ database: works, redis: undefined });
    expect(await probe.check()).toEqual({ ready: true, parts: { database: 'ok', redis: 'off' } });
  });

  test('is gone when one part fails, and names no reason', async () => {
    const { probe, log } = setUp({ database: works, redis: fails });
    expect(await probe.check()).toEqual({ ready: false, parts: { database: 'ok', redis: 'failing' } });
    expect(log.lines).toMatchObject([{ level: 'warn', fields: { part: 'redis' } }]);
  });

  test('waits two seconds for all parts together', async () => {
    const { probe, clock } = setUp({ a: hangs, b: hangs, c: works });
    const answer = probe.check();
    await clock.advance(1_999);
    await settle();
    expect(await Promise.race([answer, Promise.resolve('nothing yet')])).toBe('nothing yet');
    await clock.advance(1);
    expect(await answer).toEqual({ ready: false, parts: { a: 'timeout', b: 'timeout', c: 'ok' } });
  });

  test('tells a part that nobody waits any more', async () => {
    let told: AbortSignal | undefined;
    const { probe, clock } = setUp({
      slow: (signal) => {
        told = signal;
        return new Promise(() => {});
      },
    });
    const answer = probe.check();
    await clock.advance(2_000);
    await answer;
    expect(told?.aborted).toBe(true);
  });

  test('is asked once for all who come meanwhile, and again for those after', async () => {
    let asked = 0;
    const counts: ReadinessCheck = async () => void asked++;
    const { probe } = setUp({ counts });
    await Promise.all([probe.check(), probe.check(), probe.check()]);
    expect(asked).toBe(1);
    await probe.check();
    expect(asked).toBe(2);
  });
});
