import { describe, expect, test } from 'bun:test';
import { memoryAtRest } from '../../../src/ops/memory-at-rest.ts';
import { ManualClock } from '../../support/manual-clock.ts';

/** A process whose work the test does. */
function processAtWork() {
  const clock = new ManualClock();
  const state = { cpuMs: 5_000, isInUse: false, given: 0 };
  const memory = memoryAtRest({
    clock,
    isInUse: () => state.isInUse,
    cpuMs: () => state.cpuMs,
    giveBack: () => state.given++,
  });
  /** Seconds in each of which this much processor time is used. */
  const work = async (seconds: number, cpuMs: number) => {
    for (let second = 0; second < seconds; second++) {
      state.cpuMs += cpuMs;
      await clock.advance(1_000);
    }
  };
  return { clock, state, memory, work };
}

describe('memory', () => {
  test('is given back after a second in which next to nothing was done', async () => {
    const { state, memory, work } = processAtWork();
    memory.awaitRest();
    expect(state.given).toBe(0);
    await work(1, 3);
    expect(state.given).toBe(1);
    await work(10, 0);
    expect(state.given).toBe(1);
  });

  test('is kept while requests run, and given back once they are over', async () => {
    const { state, memory, work } = processAtWork();
    memory.awaitRest();
    await work(30, 40);
    expect(state.given).toBe(0);
    await work(1, 1);
    expect(state.given).toBe(1);
  });

  test('is given back once, however often it was asked for, and again when it is asked for later', async () => {
    const { state, memory, work } = processAtWork();
    for (let n = 0; n < 5; n++) memory.awaitRest();
    await work(3, 0);
    expect(state.given).toBe(1);
    memory.awaitRest();
    await work(1, 0);
    expect(state.given).toBe(2);
  });

  test('stays where it is when it is in use again', async () => {
    const { state, memory, work } = processAtWork();
    memory.awaitRest();
    state.isInUse = true;
    await work(3, 0);
    expect(state.given).toBe(0);
    state.isInUse = false;
    await work(3, 0);
    expect(state.given).toBe(0);
  });

  test('is left alone once the process ends', async () => {
    const { state, memory, work } = processAtWork();
    memory.awaitRest();
    memory[Symbol.dispose]();
    memory[Symbol.dispose]();
    await work(3, 0);
    expect(state.given).toBe(0);
  });
});

test('the real one collects what this process does not need', async () => {
  const clock = new ManualClock();
  const lose = () => new WeakRef({ large: new Uint8Array(1_000_000) });
  const lost = Array.from({ length: 20 }, lose);
  using memory = memoryAtRest({ clock, isInUse: () => false, cpuMs: () => 0 });
  memory.awaitRest();
  await clock.advance(1_000);
  await clock.advance(1_000);
  // One or the other may still be found on the stack.
  expect(lost.filter((each) => each.deref() === undefined).length).toBeGreaterThan(10);
});
