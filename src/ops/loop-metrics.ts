import type { LoopOptions } from '../lib/loop.ts';
import type { Metrics } from '../lib/metrics.ts';

/** Counts the rounds of a loop by outcome, for its `onRound`; both series exist from the start. */
export function loopMetrics(metrics: Metrics): (loop: string) => NonNullable<LoopOptions['onRound']> {
  const counter = (loop: string, outcome: string) =>
    metrics.counter('postern_loop_rounds_total', 'Rounds of background loops, by outcome.', {
      loop,
      outcome,
    });
  return (loop) => {
    const counters = { success: counter(loop, 'success'), failure: counter(loop, 'failure') };
    return (outcome) => counters[outcome].inc();
  };
}
