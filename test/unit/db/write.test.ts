import { Database } from 'bun:sqlite';
import { describe, expect, test } from 'bun:test';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { sql } from 'drizzle-orm';
import { migrateDatabase } from '../../../src/db/migrate.ts';
import { type Db, openDatabase } from '../../../src/db/open.ts';
import { users } from '../../../src/db/schema/index.ts';
import { afterCommit, completeAfterCommit, readBefore, type Tx } from '../../../src/db/write.ts';
import { temporaryDatabase, temporaryDirectory } from '../../support/database.ts';
import { ManualClock, settle } from '../../support/manual-clock.ts';

const BUSY_TIMEOUT_MS = 5_000;

const addUser = (tx: Tx, name: string) =>
  tx
    .insert(users)
    .values({
      id: `usr_${name}`,
      username: name,
      usernameKey: name,
      displayName: name,
      groups: [],
      role: 'member',
      status: 'active',
      createdAtMs: 0,
    })
    .run();

const namesIn = (db: Db) =>
  db.reader
    .select({ name: users.username })
    .from(users)
    .all()
    .map(({ name }) => name)
    .sort();

const outcomesOf = async (writes: Promise<unknown>[]) =>
  (await Promise.allSettled(writes)).map((each) =>
    each.status === 'fulfilled'
      ? each.value
      : ((each.reason as { code?: string }).code ?? String(each.reason)),
  );

describe('jobs of one turn', () => {
  test('share one commit, and one that throws is rolled back alone', async () => {
    await using t = temporaryDatabase(new ManualClock());
    const writes = [
      t.db.write((tx) => addUser(tx, 'ada')).then(() => 'written'),
      t.db.write((tx) => {
        addUser(tx, 'bob');
        throw new Error('no');
      }),
      t.db.write((tx) => addUser(tx, 'ada')),
      t.db.write(async (tx) => addUser(tx, 'cyd')),
      t.db.write((tx) => addUser(tx, 'dan')).then(() => 'written'),
    ];
    expect(await outcomesOf(writes)).toEqual([
      'written',
      'Error: no',
      'already_exists',
      'TypeError: a write callback must be synchronous',
      'written',
    ]);
    expect(namesIn(t.db)).toEqual(['ada', 'dan']);
  });

  test('see what those before them wrote, and none of it before the commit is outside', async () => {
    await using t = temporaryDatabase(new ManualClock());
    using other = new Database(t.path, { readonly: true });
    const seen: unknown[] = [];
    const count = () => other.query('SELECT count(*) AS n FROM users').get();
    await Promise.all([
      t.db.write((tx) => addUser(tx, 'ada')),
      t.db.write((tx) => {
        seen.push(tx.select().from(users).all().length, count());
        afterCommit(tx, () => seen.push(count()));
      }),
    ]);
    expect(seen).toEqual([1, { n: 0 }, { n: 1 }]);
  });

  test('are all refused when the commit fails, and nothing of them is there', async () => {
    await using t = temporaryDatabase(new ManualClock());
    const hooks: string[] = [];
    const writes = [
      t.db.write((tx) => {
        addUser(tx, 'ada');
        afterCommit(tx, () => hooks.push('told'));
      }),
      t.db.write((tx) => {
        // Checked only at COMMIT, which it fails.
        tx.run(sql`PRAGMA defer_foreign_keys = ON`);
        tx.run(sql`INSERT INTO local_credentials VALUES ('usr_nobody', 'hash', 0)`);
      }),
    ];
    for (const each of await Promise.allSettled(writes)) expect(each.status).toBe('rejected');
    expect(hooks).toEqual([]);
    expect(namesIn(t.db)).toEqual([]);
    await t.db.write((tx) => addUser(tx, 'bob'));
    expect(namesIn(t.db)).toEqual(['bob']);
  });

  test('more than fit one commit are all written, in order', async () => {
    await using t = temporaryDatabase(new ManualClock());
    const order: number[] = [];
    await Promise.all(
      Array.from({ length: 1_200 }, (_, index) =>
        t.db.write((tx) => afterCommit(tx, () => order.push(index))),
      ),
    );
    expect(order).toEqual(Array.from({ length: 1_200 }, (_, index) => index));
  });
});

describe('a full disk', () => {
  test('is an outage for who needs room, and ends with the room', async () => {
    await using t = temporaryDatabase(new ManualClock());
    const pages = t.db.reader.$client.query('PRAGMA page_count').values()[0]?.[0];
    t.db.reader.$client.run(`PRAGMA max_page_count = ${Number(pages)}`);
    const big = 'x'.repeat(100_000);
    const writes = [
      t.db.write((tx) => addUser(tx, 'ada')).then(() => 'written'),
      t.db.write((tx) => addUser(tx, big)),
      t.db.write((tx) => addUser(tx, 'bob')).then(() => 'written'),
    ];
    const outcomes = await outcomesOf(writes);
    expect(outcomes[1]).toBe('store_unavailable');
    // SQLite may give up the whole transaction: then nobody was told that something is written.
    const written = ['ada', 'bob'].filter((_, index) => outcomes[index * 2] === 'written');
    expect(namesIn(t.db)).toEqual(written);

    t.db.reader.$client.run('PRAGMA max_page_count = 1000000');
    await t.db.write((tx) => addUser(tx, big));
    expect(namesIn(t.db)).toContain(big);
  });
});

describe('another process that writes', () => {
  test('is waited for without holding up the event loop', async () => {
    const clock = new ManualClock();
    await using t = temporaryDatabase(clock);
    using other = new Database(t.path);
    other.run('BEGIN IMMEDIATE');
    const write = t.db.write((tx) => addUser(tx, 'ada'));
    await settle();
    await clock.advance(BUSY_TIMEOUT_MS / 2);
    other.run('COMMIT');
    await clock.advance(10);
    await write;
    expect(namesIn(t.db)).toEqual(['ada']);
  });

  test('for too long is an outage', async () => {
    const clock = new ManualClock();
    await using t = temporaryDatabase(clock);
    using other = new Database(t.path);
    other.run('BEGIN IMMEDIATE');
    const outcome = outcomesOf([t.db.write((tx) => addUser(tx, 'ada'))]);
    await settle();
    await clock.advance(BUSY_TIMEOUT_MS + 10);
    expect(await outcome).toEqual(['store_unavailable']);
    other.run('COMMIT');
  });
});

describe('what follows a commit', () => {
  test('runs in the order of the jobs, each before its job resolves', async () => {
    await using t = temporaryDatabase(new ManualClock());
    const order: string[] = [];
    const job = (name: string) =>
      t.db
        .write((tx) => {
          afterCommit(tx, () => order.push(`${name} 1`));
          afterCommit(tx, () => order.push(`${name} 2`));
        })
        .then(() => order.push(`${name} resolved`));
    await Promise.all([job('a'), job('b')]);
    const at = (name: string) => order.indexOf(name);
    expect(order.filter((name) => !name.endsWith('resolved'))).toEqual(['a 1', 'a 2', 'b 1', 'b 2']);
    expect(at('a resolved')).toBeGreaterThan(at('a 2'));
    expect(at('b resolved')).toBeGreaterThan(at('b 2'));
  });

  test('and throws keeps neither its job nor others from being told that they are committed', async () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, 'postern.db');
    migrateDatabase(path);
    const failures: unknown[] = [];
    await using db = openDatabase({
      path,
      clock: new ManualClock(),
      onHookError: (error) => failures.push(error),
    });
    const order: string[] = [];
    const failure = new Error('of the hook');
    const writes = [
      db.write((tx) => {
        addUser(tx, 'ada');
        afterCommit(tx, () => {
          throw failure;
        });
        afterCommit(tx, () => order.push('a'));
        return 1;
      }),
      db.write((tx) => {
        addUser(tx, 'bob');
        afterCommit(tx, () => order.push('b'));
        return 2;
      }),
    ];
    expect(await outcomesOf(writes)).toEqual([1, 2]);
    expect(order).toEqual(['a', 'b']);
    expect(failures).toEqual([failure]);
    expect(namesIn(db)).toEqual(['ada', 'bob']);
  });

  test('belongs inside the callback', async () => {
    await using t = temporaryDatabase(new ManualClock());
    const kept = await t.db.write((tx) => tx);
    expect(() => afterCommit(kept, () => undefined)).toThrow('belongs inside');
  });
});

describe('a job that has to know something from elsewhere', () => {
  test('runs again once that is read, and what the first run wrote is gone', async () => {
    await using t = temporaryDatabase(new ManualClock());
    const runs: string[] = [];
    const answer = await t.db.write((tx) => {
      addUser(tx, 'ada');
      runs.push('run');
      const one = readBefore(tx, 'one', async () => 'b');
      const two = readBefore(tx, 'two', async () => `${one}ob`);
      addUser(tx, two);
      return `${one} ${two} ${readBefore(tx, 'one', async () => 'never asked again')}`;
    });
    expect(answer).toBe('b bob b');
    expect(runs).toHaveLength(3);
    expect(namesIn(t.db)).toEqual(['ada', 'bob']);
  });

  test('keeps no other job waiting', async () => {
    await using t = temporaryDatabase(new ManualClock());
    const gate = Promise.withResolvers<string>();
    const waiting = t.db.write((tx) => {
      addUser(
        tx,
        readBefore(tx, 'name', () => gate.promise),
      );
    });
    await t.db.write((tx) => addUser(tx, 'ada'));
    expect(namesIn(t.db)).toEqual(['ada']);
    gate.resolve('bob');
    await waiting;
    expect(namesIn(t.db)).toEqual(['ada', 'bob']);
  });

  test('is refused with the error of the read, and changes nothing', async () => {
    await using t = temporaryDatabase(new ManualClock());
    const follows: string[] = [];
    const writes = [
      t.db.write((tx) => {
        addUser(tx, 'ada');
        afterCommit(tx, () => follows.push('hook'));
        completeAfterCommit(tx, async () => void follows.push('act'));
        readBefore(tx, 'name', () => Promise.reject(new Error('away')));
      }),
      t.db.write((tx) => addUser(tx, 'bob')).then(() => 'written'),
    ];
    expect(await outcomesOf(writes)).toEqual(['Error: away', 'written']);
    expect(follows).toEqual([]);
    expect(namesIn(t.db)).toEqual(['bob']);
  });

  test('does not go on without knowing, though it caught what ends the run', async () => {
    await using t = temporaryDatabase(new ManualClock());
    const answer = await t.db.write((tx) => {
      try {
        return readBefore(tx, 'name', async () => 'ada');
      } catch {
        addUser(tx, 'nobody');
        return 'unknown';
      }
    });
    expect(answer).toBe('ada');
    expect(namesIn(t.db)).toEqual([]);
  });

  test('asks for many things together where it can go on meanwhile, whatever comes of that', async () => {
    await using t = temporaryDatabase(new ManualClock());
    const [asked, runs]: [string[], unknown[]] = [[], []];
    const lengthOf = (tx: Tx, name: string) =>
      readBefore(
        tx,
        name,
        async () => {
          asked.push(name);
          return name.length;
        },
        { value: -1 },
      );
    const lengths = await t.db.write((tx) => {
      addUser(tx, 'ada');
      const found = ['a', 'bb', 'ccc'].map((name) => lengthOf(tx, name));
      runs.push(found);
      if (found.includes(-1)) throw new Error('cannot be');
      return found;
    });
    expect(lengths).toEqual([1, 2, 3]);
    expect(asked).toEqual(['a', 'bb', 'ccc']);
    expect(runs).toHaveLength(2);
    expect(namesIn(t.db)).toEqual(['ada']);
  });

  test('that never knows enough is refused', async () => {
    await using t = temporaryDatabase(new ManualClock());
    let asked = 0;
    const write = t.db.write((tx) => readBefore(tx, `key ${++asked}`, async () => asked));
    expect(await outcomesOf([write])).toEqual([expect.stringContaining('always asks for more')]);
    expect(asked).toBeLessThan(100);
  });

  test('belongs inside the callback', async () => {
    await using t = temporaryDatabase(new ManualClock());
    const kept = await t.db.write((tx) => tx);
    expect(() => readBefore(kept, 'name', async () => 1)).toThrow('belongs inside');
    expect(() => completeAfterCommit(kept, async () => undefined)).toThrow('belongs inside');
  });
});

describe('an act elsewhere that belongs to a write', () => {
  test('begins after the commit, before what is told of it, and the write waits for its end', async () => {
    await using t = temporaryDatabase(new ManualClock());
    using other = new Database(t.path, { readonly: true });
    const gate = Promise.withResolvers<void>();
    const order: unknown[] = [];
    const write = t.db
      .write((tx) => {
        addUser(tx, 'ada');
        afterCommit(tx, () => order.push('told'));
        completeAfterCommit(tx, () => {
          order.push(other.query('SELECT count(*) AS n FROM users').get());
          return gate.promise;
        });
      })
      .then(() => order.push('resolved'));
    await t.db.write(() => undefined);
    expect(order).toEqual([{ n: 1 }, 'told']);
    gate.resolve();
    await write;
    expect(order).toEqual([{ n: 1 }, 'told', 'resolved']);
  });

  test('and fails is the error of the write, which stands all the same, once the others have ended', async () => {
    await using t = temporaryDatabase(new ManualClock());
    const ended: string[] = [];
    const write = t.db.write((tx) => {
      addUser(tx, 'ada');
      completeAfterCommit(tx, () => {
        throw new Error('away');
      });
      completeAfterCommit(tx, async () => {
        await settle();
        ended.push('other');
      });
    });
    expect(await outcomesOf([write])).toEqual(['Error: away']);
    expect(ended).toEqual(['other']);
    expect(namesIn(t.db)).toEqual(['ada']);
  });

  test('is waited for when the database is closed, and so is a read with the write that it holds up', async () => {
    const clock = new ManualClock();
    await using t = temporaryDatabase(clock);
    const [read, act] = [Promise.withResolvers<string>(), Promise.withResolvers<void>()];
    const order: string[] = [];
    const write = t.db
      .write((tx) => {
        addUser(
          tx,
          readBefore(tx, 'name', () => read.promise),
        );
        completeAfterCommit(tx, () => act.promise);
      })
      .then(() => order.push('written'));
    const closed = t.db[Symbol.asyncDispose]().then(() => order.push('closed'));
    await settle();
    read.resolve('ada');
    await settle();
    expect(order).toEqual([]);
    act.resolve();
    await Promise.all([write, closed]);
    expect(order).toEqual(['written', 'closed']);
  });
});

describe('closing', () => {
  test('waits for what was accepted, refuses the rest, and is harmless twice', async () => {
    const clock = new ManualClock();
    await using t = temporaryDatabase(clock);
    const accepted = t.db.write((tx) => addUser(tx, 'ada'));
    const closed = t.db[Symbol.asyncDispose]();
    const late = outcomesOf([t.db.write((tx) => addUser(tx, 'bob'))]);
    await accepted;
    await closed;
    await t.db[Symbol.asyncDispose]();
    expect(await late).toEqual(['shutting_down']);
    await using again = openDatabase({ path: t.path, clock });
    expect(namesIn(again)).toEqual(['ada']);
  });

  test('leaves one file: the write-ahead log is in it', async () => {
    await using t = temporaryDatabase(new ManualClock());
    await t.db.write((tx) => addUser(tx, 'ada'));
    namesIn(t.db);
    const prepared = t.db.reader.select().from(users).prepare();
    prepared.all();
    expect(existsSync(`${t.path}-wal`)).toBe(true);
    await t.db[Symbol.asyncDispose]();
    expect(readdirSync(t.directory)).toEqual(['postern.db']);
  });
});

test('a transaction that changes nothing writes nothing, however time moves', async () => {
  const clock = new ManualClock();
  await using t = temporaryDatabase(clock);
  await t.db.write((tx) => addUser(tx, 'ada'));
  using other = new Database(t.path, { readonly: true });
  const seen = () => other.query('PRAGMA data_version').values();
  const before = seen();
  await clock.advance(30 * 60_000);
  await t.db.write((tx) => tx.select().from(users).all());
  expect(seen()).toEqual(before);
});
