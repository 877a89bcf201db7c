import { expect, test } from 'bun:test';
import { afterFailure, NO_FAILURES, requireRestartable } from '../../../src/mcp/restarts.ts';

const WAITS = { firstMs: 1_000, longestMs: 60_000 };

test('the first failure costs nothing, each further one doubles the wait, up to a minute', () => {
  let restarts = NO_FAILURES;
  const waits: number[] = [];
  for (let n = 0; n < 10; n++) {
    restarts = afterFailure(restarts, 500, WAITS);
    waits.push(restarts.notBefore - 500);
  }
  expect(waits).toEqual([0, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
});

test('a child that lived for a minute starts counting afresh', () => {
  const failing = afterFailure(afterFailure(NO_FAILURES, 0, WAITS), 0, WAITS);
  expect(afterFailure(failing, 0, WAITS, 59_999).failures).toBe(3);
  expect(afterFailure(failing, 0, WAITS, 60_000)).toEqual({ failures: 1, notBefore: 0 });
});

test('while the wait lasts, the answer says for how long', () => {
  const restarts = { failures: 3, notBefore: 2_500 };
  expect(() => requireRestartable(restarts, 1_000)).toThrow(
    expect.objectContaining({ retryAfterSeconds: 2 }),
  );
  expect(() => requireRestartable(restarts, 2_500)).not.toThrow();
});
