import type { Db } from '../db/open.ts';
import { afterCommit } from '../db/write.ts';
import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import { newSecret } from '../lib/random.ts';
import type { Ledger } from '../sessions/ledger.ts';
import type { ReapTask } from '../sessions/reaper.ts';
import type { Broker, Holder } from './exchange.ts';
import type { JsonObject } from './json-rpc.ts';
import type { AskDeadlines } from './legacy-asks.ts';
import { ProtocolSession } from './protocol-session.ts';
import type { ProtocolSessionStore, StoredProtocolSession } from './store-protocol-sessions.ts';

export interface ProtocolSessionsDeps {
  db: Db;
  store: ProtocolSessionStore;
  ledger: Pick<Ledger, 'attach' | 'requireLive' | 'whenEnding'>;
  broker: Pick<Broker, 'attach' | 'forget'>;
  deadlines: AskDeadlines;
  clock: Clock;
  /** How long one is kept that nobody uses. */
  idleTimeoutMs: number;
  /** How long a client may take to come back to a stream. */
  resumeWindowMs: number;
  maxPerGrant: number;
}

export interface NewProtocolSession {
  protocolVersion: string;
  clientInfo: JsonObject | undefined;
  capabilities: JsonObject;
}

/** Why a protocol session is not there for this caller; outside they look alike. */
export type NotFound = 'unknown' | 'of_another';

export interface ProtocolSessions extends Disposable {
  /** A new one, once it is stored. @throws AppError `unauthorized` (`session_ended`) when the grant has ended. */
  open(holder: Holder, request: NewProtocolSession): Promise<ProtocolSession>;
  /** The caller's own, from memory or from the store. Finding it counts as using it. */
  find(id: string, holder: Holder): ProtocolSession | NotFound;
  /** Stores what a child has to be told again. */
  save(session: ProtocolSession): Promise<void>;
  end(session: ProtocolSession): Promise<void>;
  /** One round: writes last uses, forgets streams nobody came back to, and takes out of memory what is quiet. */
  sweep(): Promise<void>;
  /** Ends the streams of GET, which would stay open for ever. */
  stopListening(): void;
  /** A comment in each open stream. */
  keepAlive(): void;
  readonly reapTask: ReapTask;
  readonly count: number;
}

/** Last uses are written when they have moved by this share of the idle timeout. */
const TOUCH_SHARE = 1 / 96;
/** What nobody has used for so long, and is not busy, leaves the memory; the row stays. */
const QUIET_MS = 5 * 60_000;

interface Live {
  readonly session: ProtocolSession;
  readonly attachment: Disposable;
  writtenAt: number;
}

export function protocolSessions(deps: ProtocolSessionsDeps): ProtocolSessions {
  const { db, store, ledger, broker, clock, idleTimeoutMs } = deps;
  const live = new Map<string, Live>();

  ledger.whenEnding((tx, ended) => store.deleteOf(tx, ended));

  const forget = (id: string) => {
    const found = live.get(id);
    if (found === undefined) return;
    live.delete(id);
    found.attachment[Symbol.dispose]();
    found.session.close();
  };

  const load = (stored: StoredProtocolSession, holder: Holder): ProtocolSession => {
    const own = { ...holder, protocolSessionId: stored.id };
    const session = new ProtocolSession(stored, own, { ...deps, now: () => clock.monotonicNow() });
    const attachment = ledger.attach(stored.sessionId, () => forget(stored.id));
    live.set(stored.id, { session, attachment, writtenAt: stored.lastUsedAt });
    return session;
  };

  const isStale = ({ lastUsedAt }: StoredProtocolSession) => clock.now() - lastUsedAt >= idleTimeoutMs;

  const write = async (entries: readonly Live[]) => {
    if (entries.length === 0) return;
    await db.write((tx) => {
      for (const { session } of entries) store.update(tx, session.stored);
    });
    for (const entry of entries) entry.writtenAt = entry.session.stored.lastUsedAt;
  };

  return {
    async open(holder, request) {
      const now = clock.now();
      const stored: StoredProtocolSession = {
        ...request,
        id: newSecret(),
        sessionId: holder.session.id,
        backend: holder.backend.name,
        logLevel: undefined,
        subscriptions: [],
        createdAt: now,
        lastUsedAt: now,
      };
      await db.write((tx) => {
        ledger.requireLive(tx, stored.sessionId);
        store.insert(tx, stored);
        const { sessionId, backend } = stored;
        for (const id of store.surplus(tx, { sessionId, backend, keep: deps.maxPerGrant })) {
          store.delete(tx, id);
          afterCommit(tx, () => forget(id));
        }
      });
      const session = load(stored, holder);
      if (store.find(stored.id) !== undefined) return session;
      // The grant ended in the same commit, before anybody could be told.
      forget(stored.id);
      throw new AppError('unauthorized', 'session_ended', 'The session that asked for this has ended.');
    },

    find(id, holder) {
      const known = live.get(id)?.session;
      const stored = known?.stored ?? store.find(id);
      if (stored === undefined || isStale(stored)) return 'unknown';
      if (stored.sessionId !== holder.session.id || stored.backend !== holder.backend.name) {
        return 'of_another';
      }
      const session = known ?? load(stored, holder);
      session.stored = { ...session.stored, lastUsedAt: clock.now() };
      return session;
    },

    save: (session) => db.write((tx) => store.update(tx, session.stored)),

    async end(session) {
      const { id } = session.stored;
      forget(id);
      broker.forget(session.holder);
      await db.write((tx) => store.delete(tx, id));
    },

    async sweep() {
      const now = clock.now();
      const due = [...live.values()].filter(
        ({ session, writtenAt }) => session.stored.lastUsedAt - writtenAt >= idleTimeoutMs * TOUCH_SHARE,
      );
      await write(due);
      for (const [id, { session }] of live) {
        session.forgetStreams(clock.monotonicNow() - deps.resumeWindowMs);
        const quietMs = now - session.stored.lastUsedAt;
        if (session.isBusy ? quietMs >= idleTimeoutMs : quietMs >= QUIET_MS) forget(id);
      }
    },

    stopListening() {
      for (const { session } of live.values()) session.stopListening();
    },

    keepAlive() {
      for (const { session } of live.values()) session.keepAlive();
    },

    reapTask: {
      name: 'mcp_protocol_sessions',
      deleteExpired: (tx, now, limit) => store.deleteUnused(tx, now - idleTimeoutMs, limit),
    },

    get count() {
      return live.size;
    },

    [Symbol.dispose]() {
      for (const id of live.keys()) forget(id);
    },
  };
}
