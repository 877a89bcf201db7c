import { describe, expect, test } from 'bun:test';
import { type Check, decisionLog, judge, type Life, type Loss } from '../../support/decision-log.ts';
import type { Holding } from '../../support/holdings.ts';

const LIMIT_MS = 500;

const holding: Holding = {
  kind: 'browser',
  secret: 'secret',
  username: 'ada',
  parent: undefined,
  id: undefined,
  state: 'live',
};

interface Given {
  life?: Partial<Life>;
  check?: Partial<Check>;
  losses?: Loss[];
}

function judged({ life = {}, check = {}, losses = [] }: Given) {
  const whole: Check = {
    holding,
    life: { begunAt: 0, endAskedAt: undefined, endedAt: undefined, ...life },
    node: 'one',
    sentAt: 1_000,
    answeredAt: 1_010,
    outcome: 'served',
    said: 'ada',
    ...check,
  };
  return judge({ checks: [whole], losses }, LIMIT_MS);
}

describe('what the log of decisions shows', () => {
  test.each<[what: string, given: Given, violation: string]>([
    [
      'a late pass',
      { life: { endAskedAt: 400, endedAt: 499 } },
      'browser of ada at one, 1000 ms old: served 501 ms after its end',
    ],
    [
      'a live one refused',
      { check: { outcome: 'refused', said: 'session_ended' } },
      'browser of ada at one, 1000 ms old: refused (session_ended), though nobody ended it and Redis lost nothing',
    ],
    [
      'a live one refused before Redis lost anything',
      {
        check: { outcome: 'refused', said: 'session_ended' },
        losses: [{ fault: 'flush', from: 1_011, to: 1_020 }],
      },
      'browser of ada at one, 1000 ms old: refused (session_ended), though nobody ended it and Redis lost nothing',
    ],
    [
      'one that began after the loss refused',
      {
        life: { begunAt: 900 },
        check: { outcome: 'refused', said: 'session_ended' },
        losses: [{ fault: 'flush', from: 700, to: 899 }],
      },
      'browser of ada at one, 100 ms old: refused (session_ended), though nobody ended it and Redis lost nothing',
    ],
    ['somebody else', { check: { said: 'bob' } }, 'browser of ada at one, 1000 ms old: taken for bob'],
    [
      'a fault',
      { check: { outcome: 'odd', said: '500 oops' } },
      'browser of ada at one, 1000 ms old: odd: 500 oops',
    ],
    [
      'no answer',
      { check: { outcome: 'hung', said: '5000 ms' } },
      'browser of ada at one, 1000 ms old: hung: 5000 ms',
    ],
  ])('%s is a violation', (_what, given, violation) => {
    expect(judged(given).violations).toEqual([violation]);
  });

  test.each<[what: string, given: Given]>([
    ['a pass', {}],
    ['a pass within the limit', { life: { endAskedAt: 400, endedAt: 500 } }],
    ['a pass of what was asked to end and not answered', { life: { endAskedAt: 10 } }],
    [
      'a refusal while the end is under way',
      { life: { endAskedAt: 1_005 }, check: { outcome: 'refused', said: 'session_ended' } },
    ],
    [
      'a refusal after the end',
      { life: { endAskedAt: 10, endedAt: 20 }, check: { outcome: 'refused', said: 'session_ended' } },
    ],
    ['an outage', { check: { outcome: 'unavailable', said: '503' } }],
    ['a broken line', { check: { outcome: 'unanswered', said: 'reset' } }],
  ])('%s is not', (_what, given) => {
    expect(judged(given).violations).toEqual([]);
  });

  test('a session that Redis lost is counted and excused', () => {
    const losses = [{ fault: 'flush', from: 700, to: 900 }];
    expect(judged({ check: { outcome: 'refused', said: 'session_ended' }, losses })).toMatchObject({
      violations: [],
      lost: 1,
    });
    expect(
      judged({ life: { begunAt: 800 }, check: { outcome: 'refused', said: 'session_ended' }, losses })
        .violations,
    ).toEqual([]);
  });

  test('the latest pass after an end is told', () => {
    expect(judged({ life: { endAskedAt: 400, endedAt: 700 } }).latestMs).toBe(300);
  });

  test('the first ask and the first answer count', () => {
    const log = decisionLog();
    log.began(holding, 1);
    log.endAsked(holding, 2);
    log.endAsked(holding, 3);
    log.ended(holding, 4);
    log.ended(holding, 5);
    expect(log.lifeOf(holding)).toEqual({ begunAt: 1, endAskedAt: 2, endedAt: 4 });
  });

  test('a loss reaches what began before its end, and nothing later', () => {
    const log = decisionLog();
    const over = log.losing('flush');
    expect(log.mayBeLost(performance.now() + 60_000)).toBe(true);
    over();
    expect(log.mayBeLost(0)).toBe(true);
    expect(log.mayBeLost(performance.now() + 60_000)).toBe(false);
  });
});
