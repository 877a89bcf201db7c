import { expect, test } from 'bun:test';
import { createMetrics } from '../../../src/lib/metrics.ts';

test('metrics are written as the text format says', () => {
  const metrics = createMetrics();
  metrics.counter('c_total', 'Line\nand \\slash.', { path: 'a"b\\c\nd' }).inc(2);
  metrics.gauge('g', 'Any number.', () => Infinity, { of: 'inf' });
  metrics.gauge('g', 'Any number.', () => -Infinity, { of: '-inf' });
  metrics.gauge('g', 'Any number.', () => Number.NaN, { of: 'nan' });
  const histogram = metrics.histogram('h_seconds', 'Times.', [0.1, 1], { op: 'x' });
  for (const seconds of [0.1, 0.5, 7]) histogram.observe(seconds);

  expect(metrics.render().split('\n')).toEqual([
    '# HELP c_total Line\\nand \\\\slash.',
    '# TYPE c_total counter',
    'c_total{path="a\\"b\\\\c\\nd"} 2',
    '# HELP g Any number.',
    '# TYPE g gauge',
    'g{of="inf"} +Inf',
    'g{of="-inf"} -Inf',
    'g{of="nan"} NaN',
    '# HELP h_seconds Times.',
    '# TYPE h_seconds histogram',
    'h_seconds_bucket{op="x",le="0.1"} 1',
    'h_seconds_bucket{op="x",le="1"} 2',
    'h_seconds_bucket{op="x",le="+Inf"} 3',
    'h_seconds_sum{op="x"} 7.6',
    'h_seconds_count{op="x"} 3',
    '',
  ]);
});

test('a series is one, however often it is asked for, and of one type', () => {
  const metrics = createMetrics();
  metrics.counter('c_total', 'C.').inc();
  metrics.counter('c_total', 'C.').inc();
  expect(metrics.render()).toContain('c_total 2\n');
  expect(() => metrics.gauge('c_total', 'C.', () => 1)).toThrow('counter already');
});

test('what cannot be read is absent, and the rest is there', () => {
  const metrics = createMetrics();
  metrics.gauge('broken', 'B.', () => {
    throw new Error('the database is away');
  });
  metrics.counter('whole_total', 'W.').inc();
  expect(metrics.render()).toContain('whole_total 1\n');
  expect(metrics.render()).not.toContain('\nbroken ');
});
