import { Database } from 'bun:sqlite';
import { isBusy } from './errors.ts';
import { makePrivately } from './files.ts';

/**
 * Locks that one process at a time holds, until it lets go or dies in whatever way: the file lock of an open SQLite
 * transaction. Nobody waits: the event loop would stand still.
 */

/** Takes the lock in the file at `path`; `undefined` while somebody else has it. */
export function takeLock(path: string): Disposable | undefined {
  const client = openLockFile(path);
  return orBusy(client, () => {
    client.run('BEGIN IMMEDIATE');
    return { [Symbol.dispose]: () => client.close() };
  });
}

/** The same, under a name that others can read while it is held. */
export function takeNamedLock(path: string, name: string): Disposable | undefined {
  const client = openLockFile(path);
  return orBusy(client, () => {
    // Between writing the name and taking the lock again somebody else may do the same.
    do {
      writeName(client, name);
      client.run('BEGIN IMMEDIATE');
    } while (readName(client) !== name && release(client));
    return { [Symbol.dispose]: () => client.close() };
  });
}

/** The name under which the lock in the file at `path` is held; empty where its holder has only just come. */
export function lockHolder(path: string): string | undefined {
  using client = openLockFile(path);
  try {
    client.run('BEGIN IMMEDIATE');
    return undefined;
  } catch (error) {
    if (!isBusy(error)) throw error;
    return readName(client);
  }
}

function openLockFile(path: string): Database {
  makePrivately(path);
  const client = new Database(path, { create: true, readwrite: true });
  client.run('PRAGMA busy_timeout = 0');
  return client;
}

/** What `take` returns; when it throws, the file is closed again. */
function orBusy<T>(client: Database, take: () => T): T | undefined {
  try {
    return take();
  } catch (error) {
    client.close();
    if (!isBusy(error)) throw error;
    return undefined;
  }
}

function writeName(client: Database, name: string): void {
  client.run('BEGIN IMMEDIATE');
  client.run('CREATE TABLE IF NOT EXISTS holder (name TEXT NOT NULL)');
  client.run('DELETE FROM holder');
  client.run('INSERT INTO holder (name) VALUES (?)', [name]);
  client.run('COMMIT');
}

/** Empty while a first holder writes it, which others may not see yet. */
function readName(client: Database): string {
  try {
    return client.query<{ name: string }, []>('SELECT name FROM holder').get()?.name ?? '';
  } catch {
    return '';
  }
}

function release(client: Database): true {
  client.run('ROLLBACK');
  return true;
}
