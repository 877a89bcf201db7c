import { describe, expect, test } from 'bun:test';
import { childUids, uidRange } from '../../../src/mcp/child-uids.ts';

describe('uids that are ours to give', () => {
  test.each([
    ['the whole machine', '         0          0 4294967295', { first: 0x7000_0000, count: 0x0100_0000 }],
    ['a rootless container', '0 1000 1\n1 100000 65536', { first: 1 + 65_536 - 16_384 - 16, count: 16_384 }],
    ['a single one', '0 1000 1', undefined],
    ['nothing readable', '', undefined],
  ])('%s', (_what, map, expected) => {
    expect(uidRange(map)).toEqual(expected);
  });
});

test('nobody shares a uid while both live, and the same key gets the same one again', () => {
  const uids = childUids({ first: 5_000, count: 300 });
  const first = uids.take('files usr_ada');
  const second = uids.take('files usr_ada');
  expect(second).not.toBe(first);
  uids.give(first);
  expect(uids.take('files usr_ada')).toBe(first);
});

test('each is given once until all are taken', () => {
  const uids = childUids({ first: 5_000, count: 300 });
  const taken = Array.from({ length: 300 }, (_, at) => uids.take(`key ${at}`));
  expect(new Set(taken).size).toBe(300);
  expect(taken.every((uid) => uid >= 5_000 && uid < 5_300)).toBe(true);
  expect(() => uids.take('one more')).toThrow();
});
