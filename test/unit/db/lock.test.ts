import { describe, expect, test } from 'bun:test';
import { DataDirectoryInUse, lockDataDirectory } from '../../../src/db/lock.ts';
import { temporaryDirectory } from '../../support/database.ts';
import { otherProcess } from '../../support/other-process.ts';

describe('the data directory', () => {
  test('is one process’s alone, and any death frees it', async () => {
    using directory = temporaryDirectory();
    await using first = await otherProcess(directory.path, 'exclusive');
    expect(first.said).toBe('held');
    await using second = await otherProcess(directory.path, 'exclusive');
    expect(second.said).toContain('is in use by another postern process');
    expect(() => lockDataDirectory(directory.path)).toThrow(DataDirectoryInUse);
    await first.end('SIGKILL');
    lockDataDirectory(directory.path)[Symbol.dispose]();
  });

  test('may be shared, but never beside one who has it alone', async () => {
    using directory = temporaryDirectory();
    await using first = await otherProcess(directory.path, 'shared');
    await using second = await otherProcess(directory.path, 'shared');
    expect([first.said, second.said]).toEqual(['held', 'held']);
    expect(() => lockDataDirectory(directory.path)).toThrow(DataDirectoryInUse);
    await first.end('SIGKILL');
    expect(() => lockDataDirectory(directory.path)).toThrow(DataDirectoryInUse);
    await second.end(undefined);
    using _alone = lockDataDirectory(directory.path);
    await using third = await otherProcess(directory.path, 'shared');
    expect(third.said).toContain('is in use');
  });

  test('is given back when the lock is disposed of, whichever kind', () => {
    using directory = temporaryDirectory();
    for (const mode of ['shared', 'exclusive', 'shared'] as const) {
      lockDataDirectory(directory.path, mode)[Symbol.dispose]();
    }
    using _lock = lockDataDirectory(directory.path);
  });
});
