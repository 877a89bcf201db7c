import { expect, test } from 'bun:test';
import { seatElsewhere, seatHere } from '../../../src/db/seats.ts';
import { temporaryDirectory } from '../../support/database.ts';
import { ManualClock } from '../../support/manual-clock.ts';

test('who has a role is looked up once a second', async () => {
  using directory = temporaryDirectory();
  const clock = new ManualClock();
  const of = (node: string) => ({ dataDir: directory.path, node, clock });
  const seen = seatElsewhere('hub', of('pi-2'));
  expect([seen.isHere, seen.holder()]).toEqual([false, undefined]);
  const first = seatHere('hub', of('pi-1'));
  expect([first.isHere, first.holder(), seen.holder()]).toEqual([true, 'pi-1', undefined]);
  await clock.advance(1_000);
  expect(seen.holder()).toBe('pi-1');
  first[Symbol.dispose]();
  using _second = seatHere('hub', of('pi-3'));
  expect(seen.holder()).toBe('pi-1');
  await clock.advance(1_000);
  expect(seen.holder()).toBe('pi-3');
});
