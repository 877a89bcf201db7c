import { describe, expect, test } from 'bun:test';
import { addTallies, formatTally, tallyOf, tallyOfReport } from '../../../scripts/tally.ts';

const report = (figures: string) =>
  `<?xml version="1.0"?>\n<testsuites name="bun test" ${figures} time="0.1">\n<testsuite tests="99" failures="98"/></testsuites>`;

describe('what a run of the tests amounts to', () => {
  test.each([
    ['all passed', 'tests="7" assertions="9" failures="0" skipped="0"', 0, { passed: 7, failed: 0 }],
    ['some failed', 'tests="7" assertions="9" failures="2" skipped="0"', 1, { passed: 5, failed: 2 }],
    [
      'skipped counts as failed',
      'tests="7" assertions="9" failures="0" skipped="3"',
      0,
      { passed: 4, failed: 3 },
    ],
    [
      'an error outside of tests',
      'tests="7" assertions="9" failures="0" skipped="0"',
      1,
      { passed: 7, failed: 1 },
    ],
    [
      'killed after its report',
      'tests="7" assertions="9" failures="0" skipped="0"',
      137,
      { passed: 7, failed: 1 },
    ],
  ])('%s', (_what, figures, exitCode, expected) => {
    expect(tallyOfReport(report(figures), exitCode)).toEqual(expected);
  });

  test('a runner that left no report has crashed, whatever its exit code says', () => {
    expect(tallyOf('/nonexistent/junit.xml', 0)).toEqual({ passed: 0, failed: 1 });
  });

  test('a report that is no report counts as failed', () => {
    expect(tallyOfReport('<html>', 0).failed).toBe(1);
  });
});

test('runs are summed up in one plain line', () => {
  const total = addTallies([
    { passed: 3, failed: 0 },
    { passed: 4, failed: 2 },
  ]);
  expect(formatTally(total)).toBe('7 passed, 2 failed');
  expect(formatTally(addTallies([]))).toBe('0 passed, 0 failed');
});
