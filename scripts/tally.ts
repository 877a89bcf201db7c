import { existsSync, readFileSync } from 'node:fs';

export interface Tally {
  passed: number;
  failed: number;
}

export function addTallies(tallies: readonly Tally[]): Tally {
  return tallies.reduce(
    (sum, { passed, failed }) => ({ passed: sum.passed + passed, failed: sum.failed + failed }),
    {
      passed: 0,
      failed: 0,
    },
  );
}

/** The plain line that closes every run: `12 passed, 0 failed`. */
export const formatTally = ({ passed, failed }: Tally) => `${passed} passed, ${failed} failed`;

/**
 * What one run of `bun test` amounts to, from its JUnit report and its exit code. A test that was skipped counts as
 * failed, and so does a runner that crashed: it leaves no report, or an exit code that no failed test explains.
 */
export function tallyOf(reportFile: string, exitCode: number): Tally {
  if (!existsSync(reportFile)) return { passed: 0, failed: 1 };
  return tallyOfReport(readFileSync(reportFile, 'utf8'), exitCode);
}

export function tallyOfReport(report: string, exitCode: number): Tally {
  const [head = ''] = /<testsuites\b[^>]*>/.exec(report) ?? [];
  const figure = (name: string) => Number(new RegExp(` ${name}="(\\d+)"`).exec(head)?.[1] ?? 0);
  const failed = figure('failures') + figure('skipped');
  const unexplained = (exitCode !== 0 && failed === 0) || head === '' ? 1 : 0;
  return { passed: figure('tests') - failed, failed: failed + unexplained };
}
