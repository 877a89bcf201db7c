import { auditRecorder } from '../../src/audit/recorder.ts';
import { type AuditStore, auditStore } from '../../src/audit/store.ts';
import { type Config, configSchema } from '../../src/config/schema.ts';
import type { Db } from '../../src/db/open.ts';
import { users } from '../../src/db/schema/index.ts';
import { markedClock } from '../../src/db/time-mark.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { keyRing } from '../../src/lib/key-ring.ts';
import { createMetrics } from '../../src/lib/metrics.ts';
import { newId } from '../../src/lib/random.ts';
import type { Issued } from '../../src/sessions/ledger.ts';
import type { CredentialReader } from '../../src/sessions/model.ts';
import { openLedger, type RunningLedger, type SharedWith } from '../../src/sessions/open-ledger.ts';
import type { UserId } from '../../src/users/model.ts';
import { type TemporaryDatabase, temporaryDatabase } from './database.ts';
import { ManualClock } from './manual-clock.ts';
import { type RecordedLog, recordedLog } from './silent-log.ts';

export const TEST_ORIGIN = 'https://auth.example.test';
export const TEST_SECRET = new Uint8Array(32).fill(7);

export interface TemporaryLedger extends AsyncDisposable {
  ledger: RunningLedger;
  db: Db;
  database: TemporaryDatabase;
  clock: Clock;
  audit: ReturnType<typeof auditRecorder>;
  auditStore: AuditStore;
  log: RecordedLog;
  metrics: ReturnType<typeof createMetrics>;
  config: Config;
  /** A new active person. */
  addUser(username?: string): Promise<UserId>;
  /** A browser session of that person. */
  signIn(userId: UserId): Promise<Issued>;
}

export interface TemporaryLedgerOptions {
  clock?: Clock;
  database?: TemporaryDatabase;
  sessions?: Partial<Config['sessions']>;
  origin?: string;
  /** Stands in front of the database, where look-ups should take their time. */
  credentials?: (db: Db) => CredentialReader;
  /** The other processes that it shares its sessions with. */
  elsewhere?: SharedWith;
}

/** A ledger over a database of its own, on real disk. */
export function temporaryLedger(options: TemporaryLedgerOptions = {}): TemporaryLedger {
  const clock = options.clock ?? new ManualClock();
  const database = options.database ?? temporaryDatabase(clock);
  const { db } = database;
  const log = recordedLog();
  const metrics = createMetrics();
  const store = auditStore(db);
  const dropped = metrics.counter('postern_audit_dropped_total', 'Audit rows that were lost.');
  const audit = auditRecorder({ db, store, log, dropped });
  const config = configSchema.parse({});
  const ledger = openLedger({
    db,
    ring: keyRing([TEST_SECRET]),
    clock: markedClock(clock, db.timeMark),
    audit,
    log,
    metrics,
    origin: options.origin ?? TEST_ORIGIN,
    config: { ...config.sessions, ...options.sessions },
    credentials: options.credentials?.(db),
    elsewhere: options.elsewhere,
  });
  return {
    ledger,
    db,
    database,
    clock,
    audit,
    auditStore: store,
    log,
    metrics,
    config,
    addUser: (username = newId('name')) => addUser(db, clock, username),
    signIn: (userId) =>
      db.write((tx) =>
        ledger.openBrowserSession(tx, {
          userId,
          origin: { provider: undefined, providerSid: undefined, address: '192.0.2.1', userAgent: 'test' },
        }),
      ),
    async [Symbol.asyncDispose]() {
      await ledger[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
}

async function addUser(db: Db, clock: Clock, username: string): Promise<UserId> {
  const id = newId('usr') as UserId;
  await db.write((tx) =>
    tx
      .insert(users)
      .values({
        id,
        username,
        usernameKey: username.toLowerCase(),
        displayName: username,
        groups: [],
        role: 'member',
        status: 'active',
        createdAtMs: clock.now(),
      })
      .run(),
  );
  return id;
}
