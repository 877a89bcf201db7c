import { describe, expect, test } from 'bun:test';
import { type Loop, type LoopOptions, startLoop } from '../../../src/lib/loop.ts';
import { ManualClock, settle } from '../../support/manual-clock.ts';
import { recordedLog } from '../../support/silent-log.ts';

const EVERY_MS = 1_000;

/** A loop whose rounds end when the test says so. */
function heldLoop(options: Partial<LoopOptions> = {}) {
  const clock = new ManualClock();
  const log = recordedLog();
  const outcomes: string[] = [];
  const open: PromiseWithResolvers<void>[] = [];
  let begun = 0;
  const loop: Loop = startLoop({
    name: 'test',
    everyMs: EVERY_MS,
    clock,
    log,
    run: () => {
      begun++;
      const round = Promise.withResolvers<void>();
      open.push(round);
      return round.promise;
    },
    onRound: (outcome) => outcomes.push(outcome),
    ...options,
  });
  return { clock, log, outcomes, open, loop, begun: () => begun };
}

describe('a loop', () => {
  test('begins a round each time it is due, and none before', async () => {
    const t = heldLoop();
    await t.clock.advance(EVERY_MS - 1);
    expect(t.begun()).toBe(0);
    await t.clock.advance(1);
    expect(t.begun()).toBe(1);
    t.open[0]?.resolve();
    await settle();
    await t.clock.advance(EVERY_MS);
    expect(t.begun()).toBe(2);
    expect(t.outcomes).toEqual(['success']);
  });

  test('skips a round that comes due while another runs, and is not late ever after', async () => {
    const t = heldLoop();
    await t.clock.advance(EVERY_MS * 3);
    expect(t.begun()).toBe(1);
    t.open[0]?.resolve();
    await settle();
    expect(t.begun()).toBe(1);
    await t.clock.advance(EVERY_MS);
    expect(t.begun()).toBe(2);
  });

  test('goes on after a round that fails, which is logged and counted', async () => {
    const t = heldLoop();
    await t.clock.advance(EVERY_MS);
    t.open[0]?.reject(new Error('no'));
    await settle();
    expect(t.outcomes).toEqual(['failure']);
    expect(t.log.lines).toMatchObject([{ level: 'error', fields: { loop: 'test' } }]);
    await t.clock.advance(EVERY_MS);
    expect(t.begun()).toBe(2);
  });

  test('goes on after a round that throws before it awaits', async () => {
    const t = heldLoop({
      run: () => {
        throw new Error('at once');
      },
    });
    await t.clock.advance(EVERY_MS * 2);
    expect(t.outcomes).toEqual(['failure', 'failure']);
  });

  test('runs a round when told to, or joins the one under way', async () => {
    const t = heldLoop();
    const [first, second] = [t.loop.runNow(), t.loop.runNow()];
    expect(t.begun()).toBe(1);
    t.open[0]?.resolve();
    await Promise.all([first, second]);
    expect(t.outcomes).toEqual(['success']);
  });

  test('that has ended begins nothing more, whoever asks', async () => {
    const t = heldLoop();
    await t.loop[Symbol.asyncDispose]();
    await t.loop[Symbol.asyncDispose]();
    await t.loop.runNow();
    await t.clock.advance(EVERY_MS * 5);
    expect(t.begun()).toBe(0);
  });

  test('ends by aborting the round under way and waiting for it', async () => {
    let wasAborted = false;
    const round = Promise.withResolvers<void>();
    const t = heldLoop({
      async run(signal) {
        await round.promise;
        wasAborted = signal.aborted;
        throw new Error('cut short');
      },
    });
    await t.clock.advance(EVERY_MS);
    let ended = false;
    const ending = Promise.all([t.loop[Symbol.asyncDispose](), t.loop[Symbol.asyncDispose]()]).finally(() => {
      ended = true;
    });
    await settle();
    expect(ended).toBe(false);
    round.resolve();
    await ending;
    expect(wasAborted).toBe(true);
    // Neither a success nor a failure.
    expect(t.outcomes).toEqual([]);
    expect(t.log.lines).toEqual([]);
  });

  test('that is ended by its own round sets no timer again', async () => {
    let rounds = 0;
    const t = heldLoop({
      async run() {
        rounds++;
        void t.loop[Symbol.asyncDispose]();
      },
    });
    await t.clock.advance(EVERY_MS * 5);
    expect(rounds).toBe(1);
  });
});
