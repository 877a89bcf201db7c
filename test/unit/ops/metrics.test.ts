import { describe, expect, test } from 'bun:test';
import { startLoop } from '../../../src/lib/loop.ts';
import { createMetrics } from '../../../src/lib/metrics.ts';
import { loopMetrics } from '../../../src/ops/loop-metrics.ts';
import { observeProcess } from '../../../src/ops/process-metrics.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { recordedLog } from '../../support/silent-log.ts';

const valueOf = (text: string, series: string) =>
  Number(
    text
      .split('\n')
      .find((line) => line.startsWith(`${series} `))
      ?.slice(series.length),
  );

describe('metrics', () => {
  test('count the rounds of a loop by outcome', async () => {
    const metrics = createMetrics();
    const clock = new ManualClock();
    let round = 0;
    const run = async () => {
      if (++round === 2) throw new Error('once');
    };
    const onRound = loopMetrics(metrics)('reaper');
    expect(valueOf(metrics.render(), 'postern_loop_rounds_total{loop="reaper",outcome="failure"}')).toBe(0);
    await using _loop = startLoop({
      name: 'reaper',
      everyMs: 1_000,
      clock,
      log: recordedLog(),
      run,
      onRound,
    });
    await clock.advance(3_000);
    const text = metrics.render();
    expect(valueOf(text, 'postern_loop_rounds_total{loop="reaper",outcome="success"}')).toBe(2);
    expect(valueOf(text, 'postern_loop_rounds_total{loop="reaper",outcome="failure"}')).toBe(1);
  });

  test('tell what the process takes', () => {
    const metrics = createMetrics();
    observeProcess({ metrics, clock: new ManualClock(), build: { version: '1.2.3', commit: 'abc' } });
    const text = metrics.render();
    expect(valueOf(text, 'process_resident_memory_bytes')).toBeGreaterThan(1e6);
    expect(valueOf(text, 'process_open_fds')).toBeGreaterThan(2);
    expect(valueOf(text, 'process_cpu_seconds_total')).toBeGreaterThan(0);
    expect(valueOf(text, 'postern_build_info{version="1.2.3",commit="abc"}')).toBe(1);
  });
});
