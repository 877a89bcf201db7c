import { expect, test } from 'bun:test';
import { createMetrics } from '../../../src/lib/metrics.ts';
import { observeNode } from '../../../src/ops/node-metrics.ts';

test('metrics say what a process does for all', () => {
  const metrics = createMetrics();
  const leadership = { isLeader: false };
  observeNode({ metrics, leadership, seats: { broker: { isHere: true }, hub: { isHere: false } } });
  const lines = () =>
    metrics
      .render()
      .split('\n')
      .filter((line) => line.startsWith('postern_'));
  expect(lines()).toEqual([
    'postern_leader 0',
    'postern_role{role="broker"} 1',
    'postern_role{role="hub"} 0',
  ]);
  leadership.isLeader = true;
  expect(lines()[0]).toBe('postern_leader 1');
});
