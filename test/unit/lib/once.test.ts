import { expect, test } from 'bun:test';
import { once, onceReady } from '../../../src/lib/once.ts';

test('a value is made when it is first asked for, and only then', () => {
  let made = 0;
  const value = once(() => {
    made++;
    return undefined;
  });
  expect(made).toBe(0);
  value();
  value();
  expect(made).toBe(1);
});

test('what could not be made is tried again', () => {
  let tries = 0;
  const value = once(() => {
    tries++;
    if (tries === 1) throw new Error('not yet');
    return tries;
  });
  expect(value).toThrow('not yet');
  expect(value()).toBe(2);
});

test('what takes time is made once, however many ask meanwhile', async () => {
  let made = 0;
  const value = onceReady(async () => {
    await Promise.resolve();
    return ++made;
  });
  expect(await Promise.all([value(), value(), value()])).toEqual([1, 1, 1]);
  expect(await value()).toBe(1);
});

test('all who wait for what fails hear of it, and the next one tries again', async () => {
  let tries = 0;
  const value = onceReady(async () => {
    tries++;
    if (tries === 1) throw new Error('not yet');
    return tries;
  });
  const outcomes = await Promise.allSettled([value(), value()]);
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(await value()).toBe(2);
});
