import type { AuditRecorder } from '../audit/recorder.ts';
import type { Config } from '../config/schema.ts';
import type { Db } from '../db/open.ts';
import { afterCommit, type Tx } from '../db/write.ts';
import type { Clock } from '../lib/clock.ts';
import type { KeyRing } from '../lib/key-ring.ts';
import type { Logger } from '../lib/log.ts';
import { LATENCY_BUCKETS, type Metrics } from '../lib/metrics.ts';
import { type CachedSession, sessionCache } from './cache.ts';
import { deviceSessions } from './devices.ts';
import type { OpenElsewhere } from './elsewhere.ts';
import { ending } from './ending.ts';
import { eventEffects } from './event-effects.ts';
import { inProcessSessionEvents, type SessionEvents } from './events.ts';
import { grants } from './grants.ts';
import { issue } from './issue.ts';
import { issuing } from './issuing.ts';
import type { Ledger } from './ledger.ts';
import { liveCheck } from './live-check.ts';
import { liveThings } from './live-things.ts';
import { liveness } from './liveness.ts';
import { droppedEvents, observeSessions } from './metrics.ts';
import {
  type CredentialReader,
  type FoundCredential,
  type RecognisedSession,
  type Session,
} from './model.ts';
import type { OpenSharedSessions } from './open-redis.ts';
import { outbox } from './outbox.ts';
import { sessionReapTask } from './reap-task.ts';
import type { ReapTask } from './reaper.ts';
import { recognition } from './recognition.ts';
import { refusals } from './refusals.ts';
import { sessionStore } from './store.ts';
import type { SessionStore } from './store-contract.ts';
import { deviceSessionStore } from './store-devices.ts';
import { eventServerStore } from './store-event-server.ts';
import { grantStore } from './store-grants.ts';
import { outboxStore } from './store-outbox.ts';
import { reapingStore } from './store-reaping.ts';
import { deleteExpiredGroups } from './store-standing.ts';
import { tokenMint } from './token.ts';
import { touches } from './touches.ts';
import { ALWAYS } from './trust.ts';

export interface LedgerDeps {
  db: Db;
  ring: KeyRing;
  /** Judges by the time mark (`markedClock`). */
  clock: Clock;
  audit: AuditRecorder;
  log: Logger;
  metrics: Metrics;
  /** The origin of `url`. */
  origin: string;
  config: Config['sessions'];
  /** Where credentials are looked up, where something stands in front of the database. */
  credentials?: CredentialReader | undefined;
  /** The other processes that share these sessions. */
  elsewhere?: SharedWith | undefined;
}

export interface SharedWith {
  open: OpenElsewhere;
  /** Where browser sessions are kept for all of them; in the database, where nothing else is said. */
  sessions?: OpenSharedSessions | undefined;
  /** What to do when neither memory nor the store can be believed: refuse, or serve what is in memory. */
  consistency: 'strict' | 'best_effort';
}

/** The ledger with what its loops call. */
export interface RunningLedger extends Ledger, AsyncDisposable {
  readonly events: SessionEvents;
  /** Writes touches, settles the outbox and commits refused endings: at most one round of writes, none at rest. */
  flush(): Promise<void>;
  /** Closes what hangs on sessions that have run out. */
  closeExpired(): Promise<void>;
  /** Resolves once other processes are heard, and rejects where they cannot be; at once where there are none. */
  readonly ready: Promise<void>;
  /** Publishes what processes that died have left; for one process to do. */
  sweepOutbox(): Promise<void>;
  /** Deletes sessions that have ended by time. */
  readonly reapTask: ReapTask;
  /** Deletes events that every process has heard of. */
  readonly outboxReapTask: ReapTask;
  /** Forgets what ended together, once none of it can be left. */
  readonly groupsReapTask: ReapTask;
  /** Deletes credentials that ran out before their session. */
  readonly credentialsReapTask: ReapTask;
}

/** Puts the ledger together over one database; see `Ledger` for what it promises. */
export function openLedger({
  db,
  ring,
  clock,
  audit,
  log,
  metrics,
  origin,
  config,
  credentials: givenCredentials,
  elsewhere: shared,
}: LedgerDeps): RunningLedger {
  const durable = sessionStore(db);
  const inRedis = shared?.sessions?.({
    db,
    ring,
    clock,
    log,
    metrics,
    durable,
    memory: {
      find: (id) => remembered(cache.peek(id)),
      ofUser: (userId) => cache.ofUser(userId).flatMap((id) => remembered(cache.peek(id)) ?? []),
    },
  });
  const store: SessionStore = inRedis?.store ?? durable;
  const credentials = givenCredentials ?? store;
  const mint = tokenMint(ring);
  const cache = sessionCache({
    size: config.cache_size,
    ttlMs: config.cache_ttl,
    unknownSize: config.unknown_cache_size,
    unknownTtlMs: config.unknown_cache_ttl,
    clock,
  });
  const events = inProcessSessionEvents(log, droppedEvents(metrics, 'listener_failed'));
  const refused = refusals();
  const seen = touches();
  const live = liveThings((error) => log.error('something of an ended session did not close', { error }));
  const rows = outboxStore(db);
  const eventServer = eventServerStore(db);
  const elsewhere = shared?.open({
    cache,
    live,
    events,
    outbox: rows,
    eventServer: {
      find: () => eventServer.find(),
      put: (runId) => db.write((tx) => eventServer.put(tx, runId)),
    },
    settleRows: (ids) => db.write((tx) => rows.markPublished(tx, ids, clock.now())),
    findDurable: (id) => durable.find(id),
    find: (id) => store.find(id),
    activeOf: (userId) => store.listActive(userId),
    endForeign: (id) => ends.end(id, { reason: 'revoked_elsewhere' }),
    endEverywhere: (owed) => ends.endOwed(owed),
    catchUp: async (signal) => {
      // Without sessions in Redis, what is revoked is nowhere but in the database.
      await inRedis?.reapply(signal);
      await closeExpired();
    },
  });
  const box = outbox(rows, events, elsewhere?.carrier);
  const ends = ending({
    db,
    store,
    outbox: box,
    cache,
    live,
    refusals: refused,
    audit,
    clock,
    longestMs: config.absolute_lifetime,
  });
  const issuer = issue({
    store,
    mint,
    tellBegun: (begun) => {
      events.publish(begun);
      elsewhere?.announce(begun);
    },
    touches: seen,
    refusals: refused,
    clock,
  });
  const issues = issuing({
    store,
    mint,
    issue: issuer,
    touches: seen,
    clock,
    origin,
    idleTimeoutMs: config.idle_timeout,
    absoluteLifetimeMs: config.absolute_lifetime,
    grants: {
      idleTimeoutMs: config.grant_idle_timeout,
      absoluteLifetimeMs: config.grant_absolute_lifetime,
      accessLifetimeMs: config.access_token_lifetime,
    },
    addCredential: (tx, credential) => store.addCredential(tx, credential),
    replace: (tx, ids) => ends.replace(tx, ids),
  });
  const sendChanged = (tx: Tx, ...sessions: readonly (Session | undefined)[]) =>
    box.send(
      tx,
      sessions.flatMap((session) => (session === undefined ? [] : { change: 'changed', session })),
      clock.now(),
    );
  const devices = deviceSessions({
    devices: deviceSessionStore(),
    issue: issuer,
    mint,
    touches: seen,
    clock,
    idleTimeoutMs: config.idle_timeout,
    changed: (tx, id) => {
      sendChanged(tx, store.read(tx, id));
      afterCommit(tx, () => cache.evict(id));
    },
    closeLive: (id, reason) => live.close(id, reason),
  });
  const recognise = recognition({
    cache,
    reader: credentials,
    mint,
    touches: seen,
    refusals: refused,
    trust: elsewhere?.trust ?? ALWAYS,
    servesUntrusted: shared?.consistency === 'best_effort',
    isOver: (session) => inRedis?.store.isOver(session) === true,
    clock,
    readTime: () => db.timeMark.read(),
    lookUpSeconds: metrics.histogram(
      'postern_session_lookup_seconds',
      'Time to read a session that was not in the cache.',
      LATENCY_BUCKETS,
    ),
  });

  const effects = eventEffects({ events, cache, live, isShared: shared !== undefined });
  observeSessions({ metrics, cache, live, countByKind: () => store.countActiveByKind(), clock });
  box.publishLeftOvers();

  const { lastUseOf, isLiveHere, liveAmong } = liveness({ cache, touches: seen, refusals: refused, clock });
  const closeExpired = liveCheck({ store, live, isLiveHere, clock });

  const isGrantLive = ({ session, user }: FoundCredential, now: number) =>
    user.status === 'active' && isLiveHere(session, now) && !refused.refuses(session);
  const grantCredentials = grantStore(db);
  const granted = grants({
    store: grantCredentials,
    findByHash: (hash) => durable.findByHash(hash),
    mint,
    clock,
    accessLifetimeMs: config.access_token_lifetime,
    repeatWindowMs: config.refresh_repeat_window,
    isLive: isGrantLive,
    touch: ({ session }, now) => seen.record(session.id, now),
    endReused: (tx, { session }) => void ends.endIn(tx, session.id, { reason: 'token_reused' }),
  });

  return {
    ...issues,
    ...devices,
    ...ends,
    ...granted,
    isGood(found) {
      const now = clock.now();
      const { expiresAt, supersededAt } = found.credential;
      return supersededAt === undefined && now < (expiresAt ?? Infinity) && isGrantLive(found, now);
    },
    ...recognise,
    events,
    list: async (userId) => liveAmong(await store.listActive(userId)),
    find: async (id) => store.find(id),
    findByProviderSid: async (provider, sid) => store.findByProviderSid(provider, sid),
    findIn: (tx, id) => store.read(tx, id),
    listDurable: (userId) => liveAmong(durable.listActive(userId).filter(({ kind }) => kind !== 'user')),
    findDurable: (id) => durable.find(id),
    lastSeenAt(id) {
      const session = durable.find(id);
      return session === undefined ? undefined : lastUseOf(session);
    },
    announceChanged: (tx, sessions) => sendChanged(tx, ...sessions),
    userChanged(tx, userId) {
      box.sendPerson(tx, userId, clock.now());
      afterCommit(tx, () => cache.evictUser(userId));
    },
    attach: (id, close, publicKey) => live.attach(id, close, publicKey),

    ready: elsewhere?.ready ?? Promise.resolve(),
    sweepOutbox: async () => elsewhere?.sweep(),

    async flush() {
      try {
        if (seen.waiting > 0 || box.isUnsettled) {
          await seen.flush(async (lastSeen) => {
            await db.write((tx) => {
              if (lastSeen.size > 0) store.touch(tx, lastSeen);
              box.settle(tx);
            });
            // A look-up that began before may bring the use before: from here on only the store knows of this one.
            for (const id of lastSeen.keys()) cache.spoil(id);
          });
        }
      } finally {
        // Uses that Redis cannot take keep no end from being committed.
        await ends.retryRefused();
      }
    },

    closeExpired,

    reapTask: sessionReapTask(reapingStore(), durable, seen),

    outboxReapTask: { name: 'session_outbox', deleteExpired: rows.deleteExpired },

    groupsReapTask: { name: 'session_groups', deleteExpired: deleteExpiredGroups },

    credentialsReapTask: {
      name: 'credentials',
      deleteExpired: (tx, now, limit) => grantCredentials.deleteExpired(tx, now, limit),
    },

    async [Symbol.asyncDispose]() {
      effects[Symbol.dispose]();
      await elsewhere?.[Symbol.asyncDispose]();
      for (const id of live.ids()) live.close(id, 'expired');
      await this.flush().catch((error: unknown) => log.warn('the last touches were not written', { error }));
      const lost = refused.pending().flatMap(({ ids }) => ids);
      if (lost.length > 0)
        log.error('these sessions were to end, and could not be written: end them again', { sessions: lost });
    },
  };
}

/** What of the cache may stand for a browser session that cannot be read. */
function remembered(entry: CachedSession | undefined): RecognisedSession | undefined {
  if (entry === undefined || entry.revoked || entry.session.kind !== 'user') return undefined;
  return { ...entry.session, lastSeenAt: entry.lastSeenAt };
}
