import { Database } from 'bun:sqlite';
import { describe, expect, test } from 'bun:test';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { databasePath } from '../../../src/db/files.ts';
import { migrateDatabase } from '../../../src/db/migrate.ts';
import { openDatabase } from '../../../src/db/open.ts';
import type { Tx } from '../../../src/db/write.ts';
import { backUp } from '../../../src/ops/backup.ts';
import { restoreBackup } from '../../../src/ops/restore.ts';
import { originAudience } from '../../../src/sessions/audience.ts';
import type { SessionId } from '../../../src/sessions/model.ts';
import type { UserId } from '../../../src/users/model.ts';
import { temporaryDatabase, temporaryDirectory } from '../../support/database.ts';
import { TEST_ORIGIN, temporaryLedger } from '../../support/ledger.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const modeOf = (path: string) => statSync(path).mode & 0o777;

const kept = (dataDir: string, clock: ManualClock) => ({ dataDir, clock, keptFiles: ['secret'] });

/** An appliance in use, with a secret beside its database, and an empty directory to restore into. */
async function inUse() {
  const clock = new ManualClock();
  const appliance = temporaryLedger({ clock });
  const target = temporaryDirectory();
  const userId = await appliance.addUser('ada');
  const { session, token } = await appliance.signIn(userId);
  const dataDir = appliance.database.directory;
  writeFileSync(join(dataDir, 'secret'), 'the secret\n', { mode: 0o600 });
  return {
    ...appliance,
    clock,
    userId,
    session,
    token,
    dataDir,
    emptyDir: target.path,
    file: join(target.path, 'postern.backup'),
    async [Symbol.asyncDispose]() {
      await appliance[Symbol.asyncDispose]();
      target[Symbol.dispose]();
    },
  };
}

/** One value of a database file. */
function valueIn(path: string, sql: string): unknown {
  using client = new Database(path, { readonly: true });
  return client.query<{ value: unknown }, []>(sql).get()?.value;
}

describe('a backup', () => {
  test('is one private file, made while the database is in use, and changes nothing', async () => {
    await using appliance = await inUse();
    const { dataDir, file, clock } = appliance;
    expect(backUp(file, kept(dataDir, clock))).toEqual({ files: ['secret'], bytes: statSync(file).size });
    expect(modeOf(file)).toBe(0o600);
    expect(readdirSync(appliance.emptyDir)).toEqual(['postern.backup']);
    expect(valueIn(file, 'SELECT count(*) AS value FROM sessions')).toBe(1);
    expect(
      appliance.ledger.authenticate(appliance.token, 'cookie', originAudience(TEST_ORIGIN)),
    ).toMatchObject({ ok: true });
    await appliance.signIn(appliance.userId);
    expect(await appliance.ledger.list(appliance.userId)).toHaveLength(2);
  });

  test('never replaces anything', async () => {
    await using appliance = await inUse();
    writeFileSync(appliance.file, 'precious');
    expect(() => backUp(appliance.file, kept(appliance.dataDir, appliance.clock))).toThrow(
      expect.objectContaining({
        exitCode: 1,
        message: expect.stringContaining('something of that name already'),
      }),
    );
    expect(readFileSync(appliance.file, 'utf8')).toBe('precious');
  });

  test('of nothing is refused', () => {
    using directory = temporaryDirectory();
    const file = join(directory.path, 'file');
    expect(() => backUp(file, kept(join(directory.path, 'none'), new ManualClock()))).toThrow(
      'there is no database',
    );
    expect(existsSync(file)).toBe(false);
  });

  test('of a damaged database is refused and leaves no file', async () => {
    await using appliance = await inUse();
    const damaged = join(appliance.emptyDir, 'damaged');
    mkdirSync(damaged);
    backUp(databasePath(damaged), kept(appliance.dataDir, appliance.clock));
    truncateSync(databasePath(damaged), 8192);
    expect(() => backUp(appliance.file, kept(damaged, appliance.clock))).toThrow();
    expect(existsSync(appliance.file)).toBe(false);
  });
});

describe('a restore', () => {
  test('brings people and the secret back, and lets nobody in', async () => {
    await using appliance = await inUse();
    const { emptyDir, file, clock } = appliance;
    backUp(file, kept(appliance.dataDir, clock));
    const dataDir = join(emptyDir, 'data');
    mkdirSync(dataDir, { mode: 0o700 });
    const writtenAt = clock.now();
    await clock.advance(60_000);
    expect(await restoreBackup(file, kept(dataDir, clock))).toEqual({
      writtenAt,
      sessionsEnded: 1,
      setAside: undefined,
      files: ['secret'],
    });
    expect(readdirSync(dataDir).sort()).toEqual(['postern.db', 'secret']);
    expect([modeOf(join(dataDir, 'secret')), modeOf(databasePath(dataDir))]).toEqual([0o600, 0o600]);
    expect(readFileSync(join(dataDir, 'secret'), 'utf8')).toBe('the secret\n');

    await using restored = temporaryLedger({ clock, database: openedAt(databasePath(dataDir), clock) });
    expect(await restored.ledger.find(appliance.session.id)).toMatchObject({
      status: 'revoked',
      revokeReason: 'restored',
    });
    expect(
      restored.ledger.authenticate(appliance.token, 'cookie', originAudience(TEST_ORIGIN)),
    ).toMatchObject({ ok: false });
    expect(restored.auditStore.list({ limit: 1 })).toMatchObject([
      { action: 'restored', detail: { sessions: 1, kept_devices: false } },
    ]);
    const again = await restored.signIn(appliance.userId);
    expect(restored.ledger.authenticate(again.token, 'cookie', originAudience(TEST_ORIGIN))).toMatchObject({
      ok: true,
    });
  });

  test('voids links, codes and tickets, and leaves no copy of the secret in the database', async () => {
    await using appliance = await inUse();
    const { db, emptyDir, file, clock, session, userId } = appliance;
    writeFileSync(join(appliance.dataDir, 'secret'), 'the-secret-to-look-for');
    await db.write((tx) => {
      const far = clock.now() + 1e9;
      tx.run(
        `INSERT INTO host_tickets VALUES ('h', 'app.test', '${userId}', '${session.id}', 'f', '/', ${far})`,
      );
      tx.run(`INSERT INTO session_id_tokens VALUES ('${session.id}', 'sealed', ${far})`);
      tx.run(`INSERT INTO appliance_state (key, text) VALUES ('setup_secret_hash', 'x')`);
    });
    backUp(file, kept(appliance.dataDir, clock));
    await restoreBackup(file, kept(emptyDir, clock));
    const path = databasePath(emptyDir);
    for (const table of [
      'host_tickets',
      'session_id_tokens',
      'sign_in_attempts',
      'session_outbox',
      'invitations',
    ]) {
      expect([table, valueIn(path, `SELECT count(*) AS value FROM ${table}`)]).toEqual([table, 0]);
    }
    expect(valueIn(path, `SELECT count(*) AS value FROM appliance_state WHERE key LIKE 'setup%'`)).toBe(0);
    expect(valueIn(path, 'SELECT ended_before_ms AS value FROM users')).toBe(clock.now());
    expect(readFileSync(path).includes('the-secret-to-look-for')).toBe(false);
    expect(readFileSync(file).includes('the-secret-to-look-for')).toBe(true);
  });

  test.each([
    [false, { status: 'revoked', unpaired: true, ended: 2 }],
    [true, { status: 'active', unpaired: false, ended: 1 }],
  ])('where devices are kept (%p): their sessions and pairing', async (keepDevices, expected) => {
    await using appliance = await inUse();
    const { db, emptyDir, file, clock, session, userId } = appliance;
    const deviceSession = await db.write((tx) => withDevice(appliance, tx, { userId, issuedBy: session.id }));
    backUp(file, kept(appliance.dataDir, clock));
    const { sessionsEnded } = await restoreBackup(file, kept(emptyDir, clock), { keepDevices });
    const path = databasePath(emptyDir);
    expect(sessionsEnded).toBe(expected.ended);
    expect(valueIn(path, `SELECT status AS value FROM sessions WHERE id = '${deviceSession}'`)).toBe(
      expected.status,
    );
    expect(valueIn(path, 'SELECT unpaired_at_ms AS value FROM devices') !== null).toBe(expected.unpaired);
    expect(valueIn(path, 'SELECT status AS value FROM deliveries')).toBe('cancelled');
    expect(valueIn(path, 'SELECT count(*) AS value FROM guest_links')).toBe(0);
    expect(valueIn(path, 'SELECT count(*) AS value FROM pairings')).toBe(0);
  });

  test('moves what was there aside, with what was not merged into it yet', async () => {
    await using appliance = await inUse();
    const { file, clock } = appliance;
    backUp(file, kept(appliance.dataDir, clock));
    await using other = temporaryDatabase(clock);
    await other.db.write((tx) =>
      tx.run(`INSERT INTO appliance_state (key, text) VALUES ('setup_secret_hash', 'other')`),
    );
    writeFileSync(join(other.directory, 'secret'), 'other secret');
    await other.db[Symbol.asyncDispose]();
    const { setAside } = await restoreBackup(file, kept(other.directory, clock));
    expect(setAside).toBe(join(other.directory, 'before-restore-20300101T000000Z'));
    const aside = setAside ?? '';
    expect(readFileSync(join(aside, 'secret'), 'utf8')).toBe('other secret');
    expect(
      valueIn(join(aside, 'postern.db'), `SELECT text AS value FROM appliance_state WHERE key LIKE 'setup%'`),
    ).toBe('other');
    expect(valueIn(databasePath(other.directory), 'SELECT username AS value FROM users')).toBe('ada');
  });

  test.each([
    ['is not there', (file: string) => rmSync(file)],
    ['is text', (file: string) => writeFileSync(file, 'no database at all')],
    ['is empty', (file: string) => truncateSync(file, 0)],
    ['was cut short', (file: string) => truncateSync(file, statSync(file).size - 4096)],
    [
      'is a plain database',
      (file: string) => {
        rmSync(file);
        migrateDatabase(file);
      },
    ],
    [
      'is of a newer version',
      (file: string) =>
        changeIn(file, `INSERT INTO __drizzle_migrations (hash, created_at) VALUES ('x', 9e15)`),
    ],
    [
      'lacks its last row',
      (file: string) => changeIn(file, `DELETE FROM postern_backup WHERE name = 'info'`),
    ],
  ])('from a file that %s changes nothing', async (_, spoil) => {
    await using appliance = await inUse();
    const { file, clock } = appliance;
    backUp(file, kept(appliance.dataDir, clock));
    await using other = temporaryDatabase(clock);
    await other.db[Symbol.asyncDispose]();
    const before = contentOf(other.directory);
    spoil(file);
    const error: unknown = await restoreBackup(file, kept(other.directory, clock)).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ exitCode: 1 });
    expect(contentOf(other.directory)).toEqual(before);
  });
});

/** A paired device with something waiting for it, a guest link, and the code that it was paired with. */
function withDevice(
  { ledger, clock }: Awaited<ReturnType<typeof inUse>>,
  tx: Tx,
  { userId, issuedBy }: { userId: UserId; issuedBy: SessionId },
): SessionId {
  const { session } = ledger.openDevice(tx, {
    userId,
    issuedBy,
    deviceId: 'dev_1',
    clientPublicKey: 'key',
    label: 'pi',
    origin: { provider: undefined, providerSid: undefined, address: undefined, userAgent: undefined },
  });
  const [now, later] = [clock.now(), clock.now() + 1e9];
  tx.run(
    `INSERT INTO devices (id, user_id, session_id, handle, name, labels, public_key, paired_at_ms)
     VALUES ('dev_1', '${userId}', '${session.id}', 'pi', 'pi', '{}', 'key', ${now})`,
  );
  tx.run(
    `INSERT INTO deliveries (id, device_id, body, status, created_by, created_at_ms, expires_at_ms, reap_at_ms)
     VALUES ('dlv_1', 'dev_1', '{}', 'queued', '${userId}', ${now}, ${later}, ${later})`,
  );
  tx.run(
    `INSERT INTO guest_links (id, device_id, service, label, secret_hash, created_at_ms, expires_at_ms, uses, max_uses)
     VALUES ('gst_1', 'dev_1', 'web', 'guest', 'hash', ${now}, ${later}, 0, 1)`,
  );
  tx.run(
    `INSERT INTO pairings (id, user_id, code_hash, token_hash, created_at_ms, expires_at_ms, device_id, proofs)
     VALUES ('par_1', '${userId}', 'c', 't', ${now}, ${later}, 'dev_1', '[]')`,
  );
  return session.id;
}

/** Name and digest of every file. */
function contentOf(directory: string): string[] {
  const names = readdirSync(directory).filter((name) => !name.endsWith('-shm'));
  return names.sort().map((name) => `${name} ${Bun.hash(readFileSync(join(directory, name)))}`);
}

function changeIn(path: string, sql: string): void {
  using client = new Database(path);
  client.run(sql);
}

/** A database that is there already, as `temporaryLedger` wants it. */
function openedAt(path: string, clock: ManualClock): ReturnType<typeof temporaryDatabase> {
  return {
    db: openDatabase({ path, clock }),
    path,
    directory: join(path, '..'),
    async [Symbol.asyncDispose]() {
      await this.db[Symbol.asyncDispose]();
    },
  };
}
