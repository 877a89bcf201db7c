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

describe('what needs a shared data directory alone', () => {
  test('is done while nobody else has it, and then it is shared again', async () => {
    using directory = temporaryDirectory();
    using lock = lockDataDirectory(directory.path, 'shared');
    let inside: Promise<string> | undefined;
    lock.alone('because', () => {
      inside = otherProcess(directory.path, 'shared').then(async (other) => {
        await using held = other;
        return held.said;
      });
      expect(() => lockDataDirectory(directory.path, 'shared')).toThrow(DataDirectoryInUse);
    });
    // It started while the lock was shared again.
    expect(await inside).toBe('held');
    expect(() => lockDataDirectory(directory.path)).toThrow(DataDirectoryInUse);
  });

  test('is refused beside others, and says why', async () => {
    using directory = temporaryDirectory();
    const lock = lockDataDirectory(directory.path, 'shared');
    await using other = await otherProcess(directory.path, 'shared');
    expect(other.said).toBe('held');
    let isDone = false;
    expect(() => lock.alone('the schema is old', () => (isDone = true))).toThrow(
      'is in use by another postern process: the schema is old',
    );
    expect(isDone).toBe(false);
  });

  test('is done at once by who is alone anyway', () => {
    using directory = temporaryDirectory();
    using lock = lockDataDirectory(directory.path);
    let isDone = false;
    lock.alone('because', () => (isDone = true));
    expect([isDone, lock.mode]).toEqual([true, 'exclusive']);
    expect(() => lockDataDirectory(directory.path, 'shared')).toThrow(DataDirectoryInUse);
  });

  test('leaves the directory free when it throws', () => {
    using directory = temporaryDirectory();
    const lock = lockDataDirectory(directory.path, 'shared');
    const fail = () => {
      throw new Error('the disk is full');
    };
    expect(() => lock.alone('because', fail)).toThrow('the disk is full');
    lock[Symbol.dispose]();
    using _alone = lockDataDirectory(directory.path);
  });
});
