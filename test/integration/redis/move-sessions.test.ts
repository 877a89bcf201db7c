import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { writeFileSync } from 'node:fs';
import { configSchema } from '../../../src/config/schema.ts';
import { databasePath } from '../../../src/db/files.ts';
import { lockDataDirectory } from '../../../src/db/lock.ts';
import { openDatabase } from '../../../src/db/open.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { moveBrowserSessions } from '../../../src/ops/move-sessions.ts';
import { endEverything } from '../../../src/ops/store-restored.ts';
import { movingStore } from '../../../src/sessions/store-moving.ts';
import { temporaryDirectory } from '../../support/database.ts';
import { type TemporaryLedger, temporaryLedger } from '../../support/ledger.ts';
import { startRedis, type TestRedis } from '../../support/redis-server.ts';
import { recordedLog } from '../../support/silent-log.ts';

let redis: TestRedis;
beforeAll(async () => {
  redis = await startRedis({ password: 'a-password-of-the-test' });
});
beforeEach(async () => void (await redis.client().flushall()));
afterAll(() => redis[Symbol.asyncDispose]());

/** What a command finds: a data directory that nobody has open, and where Redis is. */
const place = (dataDir: string, more: object = {}) => ({
  config: configSchema.parse({
    data_dir: dataDir,
    redis: { url: redis.url, password: redis.password },
    ...more,
  }),
  clock: systemClock,
  log: recordedLog(),
});

const count = () => redis.client().zcard('postern:sessions');
const isMarked = ({ db }: TemporaryLedger) => movingStore().wereInRedis(db.reader);

describe('the command', () => {
  test('moves there and back, and keeps in mind where sessions are', async () => {
    await using t = temporaryLedger({ clock: systemClock });
    const userId = await t.addUser();
    await t.signIn(userId);
    await t.signIn(userId);
    const target = place(t.database.directory);
    expect(await moveBrowserSessions('redis', target)).toEqual({
      moved: 2,
      children: 0,
      ended: 0,
      forged: 0,
    });
    expect([await count(), isMarked(t)]).toEqual([2, true]);
    await redis
      .client()
      .hset('postern:session:ses_x', { body: '{}', mac: '', hash: '', seen: '1', seen_mac: '' });
    await redis.client().zadd('postern:sessions', '+inf', 'ses_x');
    expect(await moveBrowserSessions('sqlite', target)).toEqual({
      moved: 2,
      children: 0,
      ended: 0,
      forged: 1,
    });
    expect([await count(), isMarked(t)]).toEqual([1, false]);
  });

  test('with another secret than the values were sealed with moves none of them', async () => {
    await using t = temporaryLedger({ clock: systemClock });
    await t.signIn(await t.addUser());
    const secret = (text: string) => place(t.database.directory, { secret: text.repeat(40) });
    await moveBrowserSessions('redis', secret('a'));
    expect(await moveBrowserSessions('sqlite', secret('b'))).toMatchObject({ moved: 0, forged: 1 });
    const both = place(t.database.directory, { secret: 'b'.repeat(40), previous_secrets: ['a'.repeat(40)] });
    expect(await moveBrowserSessions('sqlite', both)).toMatchObject({ moved: 1, forged: 0 });
  });

  test('wants the data directory for itself', async () => {
    await using t = temporaryLedger({ clock: systemClock });
    await t.signIn(await t.addUser());
    for (const mode of ['exclusive', 'shared'] as const) {
      using _held = lockDataDirectory(t.database.directory, mode);
      const refused = await moveBrowserSessions('redis', place(t.database.directory)).catch(
        (error: unknown) => error,
      );
      expect(String(refused)).toContain('end every server');
    }
    expect(await count()).toBe(0);
  });

  test('wants a database that is up to date, or may be brought there', async () => {
    using directory = temporaryDirectory();
    writeFileSync(databasePath(directory.path), '');
    const strict = place(directory.path, { database: { auto_migrate: false } });
    const refused = await moveBrowserSessions('redis', strict).catch((error: unknown) => error);
    expect(String(refused)).toContain('postern migrate');
    expect(await moveBrowserSessions('redis', place(directory.path))).toMatchObject({ moved: 0 });
  });

  test('says why Redis will not do, without the password', async () => {
    await using t = temporaryLedger({ clock: systemClock });
    const wrong = place(t.database.directory, { redis: { url: redis.url, password: 'another-password' } });
    const refused = await moveBrowserSessions('redis', wrong).catch((error: unknown) => error);
    expect(String(refused)).toMatch(/Redis at .*cannot be used/);
    expect(String(refused)).not.toContain('another-password');
    expect(isMarked(t)).toBe(false);
  });
});

test('a backup that is restored speaks of no sessions in Redis: all have ended', async () => {
  await using t = temporaryLedger({ clock: systemClock });
  await using db = openDatabase({ path: t.database.path, clock: systemClock });
  await db.write((tx) => movingStore().markInRedis(tx));
  await db.write((tx) => endEverything(tx, systemClock.now(), { keepDevices: false }));
  expect(isMarked(t)).toBe(false);
});
