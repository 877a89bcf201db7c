import { expect, setDefaultTimeout, test } from 'bun:test';
import { join } from 'node:path';
import { startProgram } from '../support/program.ts';

setDefaultTimeout(180_000);

const PROJECT = join(import.meta.dir, '..', '..');

test('the referee of the protocol finds nothing to object to', async () => {
  const command = [process.execPath, '--no-env-file', 'scripts/conformance.ts', '--json'];
  await using running = startProgram(command, PROJECT, { PATH: process.env['PATH'] ?? '' });
  const { exitCode, out, err } = await running.finished;
  const lastLine = out.trimEnd().split('\n').at(-1) ?? '';
  if (exitCode !== 0) throw new Error(`${out}${err}`);
  const tallies = JSON.parse(lastLine) as Record<string, { passed: number; failed: number }>;
  expect(Object.keys(tallies)).toEqual(['2025-11-25', '2026-07-28', 'authorization']);
  for (const { passed, failed } of Object.values(tallies)) {
    expect(passed).toBeGreaterThan(0);
    expect(failed).toBe(0);
  }
});
