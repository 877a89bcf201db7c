import { expect, test } from 'bun:test';
import { chmodSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { prepareDataDirectory } from '../../../src/config/data-directory.ts';
import { CommandError } from '../../../src/lib/command-error.ts';
import { temporaryDirectory } from '../../support/database.ts';
import { recordedLog } from '../../support/silent-log.ts';

const modeOf = (path: string) => statSync(path).mode & 0o777;

test('it is made for its owner alone, with the directories above it', () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, 'a', 'b');
  const log = recordedLog();
  prepareDataDirectory(path, log);
  prepareDataDirectory(path, log);
  expect(modeOf(path)).toBe(0o700);
  expect(log.lines).toEqual([]);
});

test.each([0o750, 0o755, 0o770, 0o710])(
  'one that others can read (%o) is used as it is, with a warning',
  (mode) => {
    using directory = temporaryDirectory();
    chmodSync(directory.path, mode);
    const log = recordedLog();
    prepareDataDirectory(directory.path, log);
    expect(log.lines.map(({ level }) => level)).toEqual(['warn']);
    expect(modeOf(directory.path)).toBe(mode);
  },
);

test.each([0o777, 0o1777, 0o702])('one that anybody can write to (%o) is refused', (mode) => {
  using directory = temporaryDirectory();
  chmodSync(directory.path, mode);
  expect(refusalOf(directory.path)).toMatchObject({
    exitCode: 2,
    message: expect.stringContaining('chmod 700'),
  });
});

test('a file in its place is refused', () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, 'file');
  writeFileSync(path, '');
  expect(refusalOf(path)).toMatchObject({ exitCode: 2, message: expect.stringContaining('not a directory') });
  expect(refusalOf(join(path, 'data'))).toMatchObject({
    exitCode: 1,
    message: expect.stringContaining('cannot be made'),
  });
});

test('a link to a directory is followed, one that leads nowhere is refused', () => {
  using directory = temporaryDirectory();
  mkdirSync(join(directory.path, 'real'), { mode: 0o700 });
  symlinkSync('real', join(directory.path, 'link'));
  symlinkSync('nowhere', join(directory.path, 'dangling'));
  prepareDataDirectory(join(directory.path, 'link'), recordedLog());
  expect(refusalOf(join(directory.path, 'dangling'))).toMatchObject({ exitCode: 1 });
});

function refusalOf(path: string): CommandError {
  try {
    prepareDataDirectory(path, recordedLog());
  } catch (error) {
    if (error instanceof CommandError) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

test('several processes that make it in the same moment all have it', async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, 'data');
  const source = fileURLToPath(import.meta.resolve('../../../src/config/data-directory.ts'));
  const startAt = Date.now() + 500;
  const script = `const { prepareDataDirectory } = await import(${JSON.stringify(source)});
    while (Date.now() < ${startAt});
    prepareDataDirectory(${JSON.stringify(path)}, { warn: () => process.exit(3) });`;
  const exits = Array.from({ length: 4 }, () => {
    const child = Bun.spawn([process.execPath, '-e', script], { stdio: ['ignore', 'ignore', 'inherit'] });
    return child.exited;
  });
  expect(await Promise.all(exits)).toEqual([0, 0, 0, 0]);
  expect(modeOf(path)).toBe(0o700);
});
