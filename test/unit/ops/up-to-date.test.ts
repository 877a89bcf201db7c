import { expect, test } from 'bun:test';
import { databasePath } from '../../../src/db/files.ts';
import { type LockMode, lockDataDirectory } from '../../../src/db/lock.ts';
import { migrationState } from '../../../src/db/migrate.ts';
import { CommandError } from '../../../src/lib/command-error.ts';
import { bringUpToDate } from '../../../src/ops/up-to-date.ts';
import { temporaryDirectory } from '../../support/database.ts';
import { recordedLog } from '../../support/silent-log.ts';

function emptyPlace(mode: LockMode) {
  const directory = temporaryDirectory();
  const lock = lockDataDirectory(directory.path, mode);
  const log = recordedLog();
  const path = databasePath(directory.path);
  return {
    log,
    bring: (mayMigrate: boolean) => bringUpToDate(path, { mayMigrate, lock, log }),
    pending: () => migrationState(path).pending,
    [Symbol.dispose]() {
      lock[Symbol.dispose]();
      directory[Symbol.dispose]();
    },
  };
}

test.each(['exclusive', 'shared'] as const)(
  'a database is migrated under a lock that is %s, once',
  (mode) => {
    using place = emptyPlace(mode);
    const pending = place.pending();
    expect(pending.length).toBeGreaterThan(0);
    place.bring(true);
    expect(place.pending()).toEqual([]);
    place.bring(true);
    expect(place.log.lines.map(({ message }) => message)).toEqual(
      pending.map(() => 'the database was migrated'),
    );
  },
);

test.each(['exclusive', 'shared'] as const)('an old one is refused where it may not be, %s', (mode) => {
  using place = emptyPlace(mode);
  expect(() => place.bring(false)).toThrow(CommandError);
  expect(() => place.bring(false)).toThrow('run `postern migrate`, or set database.auto_migrate');
  expect(place.log.lines).toEqual([]);
  place.bring(true);
  expect(() => place.bring(false)).not.toThrow();
});
