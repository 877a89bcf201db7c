import { expect, test } from 'bun:test';
import { taskQueue } from '../../../src/lib/task-queue.ts';
import { settle } from '../../support/manual-clock.ts';

/** A queue whose tasks end when the test says so. */
function queue(maxRunning: number, maxWaiting: number) {
  const tasks = taskQueue({ maxRunning, maxWaiting });
  const begun: number[] = [];
  const ends: (() => void)[] = [];
  let added = 0;
  return {
    tasks,
    begun,
    add() {
      const number = ++added;
      tasks.add(() => {
        begun.push(number);
        return new Promise((resolve) => ends.push(resolve));
      });
    },
    async endOne() {
      ends.shift()?.();
      await settle();
    },
  };
}

test('tasks run a few at a time, in their order', async () => {
  const q = queue(2, 10);
  for (let each = 0; each < 4; each++) q.add();
  expect(q.begun).toEqual([1, 2]);
  await q.endOne();
  expect(q.begun).toEqual([1, 2, 3]);
  await q.endOne();
  expect(q.begun).toEqual([1, 2, 3, 4]);
});

test('who adds is asked to wait once too many wait, until half of them are gone', async () => {
  const q = queue(1, 4);
  for (let each = 0; each < 4; each++) q.add();
  expect(q.tasks.room()).toBeUndefined();
  q.add();
  let hasRoom = false;
  const room = q.tasks.room()?.then(() => (hasRoom = true));
  await q.endOne();
  await q.endOne();
  expect(hasRoom).toBe(false);
  await q.endOne();
  expect(hasRoom).toBe(true);
  await room;
});

test('it is settled when nothing runs and nothing waits', async () => {
  const q = queue(1, 10);
  await q.tasks.settled();
  q.add();
  q.add();
  let isSettled = false;
  const settled = q.tasks.settled().then(() => (isSettled = true));
  await q.endOne();
  expect(isSettled).toBe(false);
  await q.endOne();
  expect(isSettled).toBe(true);
  await settled;
});
