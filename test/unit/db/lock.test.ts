import { describe, expect, test } from 'bun:test';
import { fileURLToPath } from 'node:url';
import { DataDirectoryInUse, lockDataDirectory } from '../../../src/db/lock.ts';
import { temporaryDirectory } from '../../support/database.ts';

const HOLDER = fileURLToPath(import.meta.resolve('../../support/lock-holder.ts'));

/** Another process that takes the directory; resolves with what it said first. */
async function holder(dataDir: string, mode: 'exclusive' | 'shared') {
  const child = Bun.spawn([process.execPath, HOLDER, dataDir, mode], { stdin: 'pipe', stdout: 'pipe' });
  const reader = child.stdout.getReader();
  const said = new TextDecoder().decode((await reader.read()).value);
  return {
    said: said.trim(),
    async end(signal: 'SIGKILL' | undefined) {
      if (signal === undefined) await child.stdin.end();
      else child.kill(signal);
      await child.exited;
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await child.exited;
    },
  };
}

describe('the data directory', () => {
  test('is one process’s alone, and any death frees it', async () => {
    using directory = temporaryDirectory();
    await using first = await holder(directory.path, 'exclusive');
    expect(first.said).toBe('held');
    await using second = await holder(directory.path, 'exclusive');
    expect(second.said).toContain('is in use by another postern process');
    expect(() => lockDataDirectory(directory.path)).toThrow(DataDirectoryInUse);
    await first.end('SIGKILL');
    lockDataDirectory(directory.path)[Symbol.dispose]();
  });

  test('may be shared, but never beside one who has it alone', async () => {
    using directory = temporaryDirectory();
    await using first = await holder(directory.path, 'shared');
    await using second = await holder(directory.path, 'shared');
    expect([first.said, second.said]).toEqual(['held', 'held']);
    expect(() => lockDataDirectory(directory.path)).toThrow(DataDirectoryInUse);
    await first.end('SIGKILL');
    expect(() => lockDataDirectory(directory.path)).toThrow(DataDirectoryInUse);
    await second.end(undefined);
    using _alone = lockDataDirectory(directory.path);
    await using third = await holder(directory.path, 'shared');
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
