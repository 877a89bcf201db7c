import { describe, expect, test } from 'bun:test';
import { backoffMs } from '../../../src/agent/backoff.ts';
import { agentConfigSchema } from '../../../src/agent/config-schema.ts';
import { startHeartbeat } from '../../../src/agent/heartbeat.ts';
import { waitAfter } from '../../../src/agent/reconnect.ts';
import { serverTime } from '../../../src/agent/server-time.ts';
import { ManualClock } from '../../support/manual-clock.ts';

describe('the wait before the next dial', () => {
  const bounds = { minMs: 500, maxMs: 30_000 };

  test('is drawn between the shortest one and a bound that doubles up to the longest', () => {
    expect([0, 1, 2, 3, 4, 100].map((failures) => backoffMs(bounds, failures, 0))).toEqual(
      Array(6).fill(500),
    );
    expect([0, 1, 2, 3, 4, 100].map((failures) => backoffMs(bounds, failures, 1))).toEqual([
      2_000, 4_000, 8_000, 16_000, 30_000, 30_000,
    ]);
  });

  test('differs from one agent to the next', () => {
    const drawn = new Set(Array.from({ length: 50 }, () => backoffMs(bounds, 6)));
    expect(drawn.size).toBeGreaterThan(40);
    for (const each of drawn) expect(each).toBeWithin(500, 30_001);
  });

  test('stays sensible where the longest is below the shortest', () => {
    expect(backoffMs({ minMs: 500, maxMs: 100 }, 3, 1)).toBe(500);
  });
});

describe('what follows', () => {
  const timing = agentConfigSchema.parse({}).tunnel;

  test('a tunnel that stood: a short wait, and the failures before it are forgotten', () => {
    const wait = waitAfter({ kind: 'lost', reason: 'cut', lastedMs: 10_000 }, 9, timing);
    expect(wait).toMatchObject({ reason: 'cut', failures: 0 });
    expect(wait.ms).toBeWithin(500, 2_001);
  });

  test('tunnels that break at once: as a dial that fails', () => {
    expect(waitAfter({ kind: 'lost', reason: 'cut', lastedMs: 9_999 }, 3, timing).failures).toBe(4);
    expect(waitAfter({ kind: 'failed', reason: 'no' }, 3, timing).failures).toBe(4);
  });

  test('a server that asks for more time: as long as that, within the longest wait', () => {
    const after = (retryAfterMs: number) =>
      waitAfter({ kind: 'failed', reason: 'no', retryAfterMs }, 0, timing).ms;
    expect(after(20_000)).toBe(20_000);
    expect(after(3_600_000)).toBe(30_000);
  });

  test('another agent with the same key: a long wait', () => {
    const waits = Array.from({ length: 20 }, () => waitAfter({ kind: 'replaced' }, 0, timing).ms);
    for (const ms of waits) expect(ms).toBeWithin(15_000, 30_001);
  });

  test('a server whose clock changes all the time: as a dial that fails', () => {
    expect(waitAfter({ kind: 'corrected' }, 1, timing)).toMatchObject({
      failures: 2,
      reason: 'the clocks do not agree',
    });
  });
});

describe('the heartbeat', () => {
  const INTERVAL = 20_000;
  const TIMEOUT = 10_000;

  function beating() {
    const clock = new ManualClock();
    const pings: PromiseWithResolvers<number>[] = [];
    const ends: number[] = [];
    const answers: number[] = [];
    const mux = {
      ping() {
        const ping = Promise.withResolvers<number>();
        pings.push(ping);
        return ping.promise;
      },
      end: (code: number) => void ends.push(code),
    };
    const beat = startHeartbeat({
      mux,
      clock,
      intervalMs: INTERVAL,
      timeoutMs: TIMEOUT,
      onAnswer: (ms) => void answers.push(ms),
    });
    return { clock, pings, ends, answers, beat };
  }

  test('asks at once, and again an interval after each answer', async () => {
    const { clock, pings, ends, answers } = beating();
    for (const count of [1, 2, 3]) {
      expect(pings).toHaveLength(count);
      pings.at(-1)?.resolve(count);
      await clock.advance(0);
      await clock.advance(INTERVAL);
    }
    expect([answers, ends]).toEqual([[1, 2, 3], []]);
  });

  test('ends the tunnel when no answer comes in time', async () => {
    const { clock, ends, pings } = beating();
    await clock.advance(TIMEOUT - 1);
    expect(ends).toEqual([]);
    await clock.advance(1);
    expect(ends).toEqual([4408]);
    pings[0]?.reject(new Error('the tunnel has ended'));
    await clock.advance(INTERVAL * 3);
    expect([ends, pings.length]).toEqual([[4408], 1]);
  });

  test('stops with the tunnel', async () => {
    const { clock, pings, ends, beat } = beating();
    pings[0]?.resolve(1);
    await clock.advance(0);
    beat[Symbol.dispose]();
    await clock.advance(INTERVAL * 3);
    expect([pings.length, ends]).toEqual([1, []]);
  });
});

describe('the time at the server', () => {
  test('is taken over when it matters, and kept while this clock moves on', () => {
    let here = 1_000_000;
    const time = serverTime({ now: () => here });
    expect(time.correct(here + 9_000)).toBe(false);
    expect(time.now()).toBe(here);
    expect(time.correct(here + 3_600_000)).toBe(true);
    here += 5_000;
    expect(time.now()).toBe(here + 3_600_000);
    expect(time.correct(time.now() - 500)).toBe(false);
  });

  test('is taken over again when this clock was set', () => {
    let here = 0;
    const time = serverTime({ now: () => here });
    expect(time.correct(1_800_000_000_000)).toBe(true);
    here = 1_800_000_000_000;
    expect(time.correct(1_800_000_000_500)).toBe(true);
    expect(Math.abs(time.offsetMs)).toBeLessThan(1_000);
  });

  test('is no time at all where the server says none', () => {
    const time = serverTime({ now: () => 5 });
    expect([time.correct(Number.NaN), time.offsetMs]).toEqual([false, 0]);
  });
});
