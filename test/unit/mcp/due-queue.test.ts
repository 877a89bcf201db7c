import { expect, test } from 'bun:test';
import { dueQueue } from '../../../src/mcp/due-queue.ts';
import { ManualClock } from '../../support/manual-clock.ts';

test('each thing falls due by itself, in the order of coming', async () => {
  const clock = new ManualClock();
  const due: string[] = [];
  const queue = dueQueue<string>(clock, 100, (thing) => due.push(thing));
  queue.add('a');
  await clock.advance(60);
  queue.add('b');
  await clock.advance(39);
  expect(due).toEqual([]);
  await clock.advance(1);
  expect(due).toEqual(['a']);
  await clock.advance(60);
  expect(due).toEqual(['a', 'b']);
  expect(queue.size).toBe(0);
});

test('what was taken out does not fall due', async () => {
  const clock = new ManualClock();
  const due: string[] = [];
  const queue = dueQueue<string>(clock, 100, (thing) => due.push(thing));
  queue.add('a');
  queue.add('b');
  queue.delete('a');
  await clock.advance(100);
  expect(due).toEqual(['b']);
});

test('what is added while others fall due waits its own time', async () => {
  const clock = new ManualClock();
  const due: string[] = [];
  const queue = dueQueue<string>(clock, 100, (thing) => {
    due.push(thing);
    if (thing === 'a') queue.add('c');
  });
  queue.add('a');
  queue.add('b');
  await clock.advance(100);
  expect(due).toEqual(['a', 'b']);
  await clock.advance(100);
  expect(due).toEqual(['a', 'b', 'c']);
});
