import { describe, expect, test } from 'bun:test';
import { type Figures, figuresAsJson, figuresAsTable } from '../../../bench/support/figures.ts';
import { interleave } from '../../../bench/support/rounds.ts';
import { median, percentile } from '../../../bench/support/statistics.ts';

const figures: Figures = {
  ratio: { value: 0.412_345_6, target: { atLeast: 0.38 }, meaning: 'checks over static' },
  p99_ms: { value: 51, target: { atMost: 50 }, meaning: 'to the end' },
  checks: { value: 41_000, meaning: 'a second' },
};

describe('figures', () => {
  test('are one JSON object in one line, with four digits that mean something', () => {
    const text = figuresAsJson('forward-auth', figures);
    expect(text).not.toInclude('\n');
    expect(JSON.parse(text)).toEqual({ bench: 'forward-auth', ratio: 0.4123, p99_ms: 51, checks: 41_000 });
  });

  test('are a table that says which targets are met', () => {
    const [ratio = '', p99 = '', checks = ''] = figuresAsTable(figures).split('\n');
    expect(ratio).toMatch(/^ratio +0\.4123 +≥ 0\.38 met +checks over static$/);
    expect(p99).toMatch(/^p99_ms +51 +≤ 50 missed +to the end$/);
    expect(checks).toMatch(/^checks +41000 +a second$/);
  });
});

describe('percentiles', () => {
  test('are values that were measured, by nearest rank', () => {
    const values = Array.from({ length: 200 }, (_, index) => 200 - index);
    expect(percentile(values, 99)).toBe(198);
    expect(percentile(values, 100)).toBe(200);
    expect(percentile([7], 99)).toBe(7);
    expect(median([3, 1, 2])).toBe(2);
  });

  test('of nothing are an error', () => {
    expect(() => median([])).toThrow('no values');
  });
});

test('contenders are measured in turn, and the first round warms up', async () => {
  const calls: string[] = [];
  const contender = (name: string) => () => calls.push(name);
  const rounds = await interleave({ ours: contender('ours'), bare: contender('bare') }, 2);
  expect(calls).toEqual(['ours', 'bare', 'ours', 'bare', 'ours', 'bare']);
  expect(rounds).toEqual([
    { ours: 3, bare: 4 },
    { ours: 5, bare: 6 },
  ]);
});
