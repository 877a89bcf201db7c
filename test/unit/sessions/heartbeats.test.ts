import { describe, expect, test } from 'bun:test';
import { type Beat, heartbeats, reachedBoth } from '../../../src/sessions/heartbeats.ts';
import { compareIds, EMPTY_STREAM, streamProgress } from '../../../src/sessions/stream-progress.ts';
import { NEVER } from '../../../src/sessions/trust.ts';

const state = { last: '1-0', added: 1 };
const beat = (publishedUntil: number | undefined): Beat => ({
  publishedUntil,
  round: 1,
  sessions: state,
  devices: state,
});

describe('heartbeats', () => {
  test('nothing is believed before the first came back, and from then on for its time', () => {
    const beats = heartbeats(5_000);
    expect(beats.until).toBe(NEVER);
    beats.sent(beat(100));
    beats.review(() => 'behind');
    expect(beats.until).toBe(NEVER);
    expect(beats.review(() => 'complete')).toEqual({ complete: beat(100), isLost: false });
    expect(beats.until).toBe(5_100);
  });

  test('the newest that came back counts, and those before it no more', () => {
    const beats = heartbeats(5_000);
    for (const at of [100, 200, 300]) beats.sent(beat(at));
    beats.review(({ publishedUntil }) => (publishedUntil === 300 ? 'behind' : 'complete'));
    expect(beats.until).toBe(5_200);
    const asked: unknown[] = [];
    beats.review((each) => {
      asked.push(each.publishedUntil);
      return 'complete';
    });
    expect(asked).toEqual([300]);
    expect(beats.until).toBe(5_300);
  });

  test('one with something unpublished before it ends what is believed', () => {
    const beats = heartbeats(5_000);
    beats.sent(beat(100));
    beats.review(() => 'complete');
    beats.sent(beat(undefined));
    beats.review(() => 'complete');
    expect(beats.until).toBe(NEVER);
  });

  test('a loss is told, and moves nothing', () => {
    const beats = heartbeats(5_000);
    beats.sent(beat(100));
    beats.review(() => 'complete');
    beats.sent(beat(200));
    beats.sent(beat(300));
    const reached = ({ publishedUntil }: Beat) => (publishedUntil === 200 ? 'complete' : 'lost');
    expect(beats.review(reached)).toEqual({ complete: undefined, isLost: true });
    expect(beats.until).toBe(5_100);
    beats.reset();
    expect(beats.until).toBe(NEVER);
    expect(beats.review(() => 'complete')).toEqual({ complete: undefined, isLost: false });
  });

  test('those that never come back are not kept for ever', () => {
    const beats = heartbeats(5_000);
    for (let at = 0; at < 1_000; at++) beats.sent(beat(at));
    let asked = 0;
    beats.review(() => {
      asked++;
      return 'behind';
    });
    expect(asked).toBe(32);
  });

  test('both streams have to be read', () => {
    expect(reachedBoth('complete', 'complete')).toBe('complete');
    expect([reachedBoth('behind', 'complete'), reachedBoth('complete', 'behind')]).toEqual([
      'behind',
      'behind',
    ]);
    expect([reachedBoth('lost', 'behind'), reachedBoth('complete', 'lost')]).toEqual(['lost', 'lost']);
  });
});

describe('how far a stream was read', () => {
  test('is where it stood at first, then what was counted since', () => {
    const progress = streamProgress({ last: '5-0', added: 7, cursor: '5-0' });
    expect(progress.reached({ last: '5-0', added: 7 })).toBe('complete');
    expect(progress.reached({ last: '6-0', added: 8 })).toBe('behind');
    progress.advance('6-0');
    progress.advance('6-1');
    expect(progress.cursor).toBe('6-1');
    expect(progress.reached({ last: '6-0', added: 8 })).toBe('complete');
    expect(progress.reached({ last: '6-1', added: 9 })).toBe('complete');
  });

  const LOST = [
    ['more was added than read', { last: '6-0', added: 9 }],
    ['less was added: the stream is another', { last: '6-0', added: 1 }],
    ['its newest was never read', { last: '5-5', added: 8 }],
    ['it was moved back', { last: '2-0', added: 7 }],
  ] as const;
  test.each(LOST)('something is lost when %s', (_what, now) => {
    const progress = streamProgress({ last: '5-0', added: 7, cursor: '5-0' });
    progress.advance('6-0');
    expect(progress.reached(now)).toBe('lost');
  });

  test('a stream that is new begins at nothing', () => {
    const progress = streamProgress(EMPTY_STREAM);
    expect(progress.cursor).toBe('0-0');
    expect(progress.reached(EMPTY_STREAM)).toBe('complete');
    progress.advance('3-0');
    expect(progress.reached({ last: '3-0', added: 1 })).toBe('complete');
  });

  test('what nobody asks for is forgotten, and how far it went is not', () => {
    const progress = streamProgress({ last: '5-0', added: 7, cursor: '5-0' });
    for (let at = 6; at < 20; at++) progress.advance(`${at}-0`);
    progress.forgetBefore({ last: '10-0', added: 12 });
    expect(progress.reached({ last: '9-0', added: 11 })).toBe('lost');
    expect(progress.reached({ last: '10-0', added: 12 })).toBe('complete');
    expect(progress.reached({ last: '19-0', added: 21 })).toBe('complete');
  });
});

test('ids of entries stand in the order of their numbers, however large', () => {
  const ids = [
    '0-0',
    '0-1',
    '9-0',
    '10-0',
    '10-9',
    '10-10',
    '9007199254740993-0',
    '18446744073709551615-18446744073709551615',
  ];
  for (const [at, one] of ids.entries()) {
    for (const [other, another] of ids.entries())
      expect(Math.sign(compareIds(one, another))).toBe(Math.sign(at - other));
  }
});
