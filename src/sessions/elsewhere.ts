import type { MaybePromise } from '../lib/maybe-promise.ts';
import type { UserId } from '../users/model.ts';
import type { SessionCache } from './cache.ts';
import type { SessionEvents } from './events.ts';
import type { LiveThings } from './live-things.ts';
import type { Session, SessionId, SessionSnapshot } from './model.ts';
import type { OutboxCarrier } from './outbox.ts';
import type { Everywhere, OutboxStore } from './store-outbox.ts';
import type { Trust } from './trust.ts';

/** What of this process's ledger the events of other processes act on, and what is asked for to tell them of ours. */
export interface HereParts {
  readonly cache: Pick<SessionCache, 'revoke' | 'evict' | 'evictUser' | 'clear'>;
  readonly live: Pick<LiveThings, 'close' | 'has'>;
  readonly events: SessionEvents;
  readonly outbox: OutboxStore;
  /** The server (by `run_id`) from which events are read, as all processes of this database have agreed on last. */
  readonly eventServer: {
    /** @throws AppError `unavailable`. */
    find(): string | undefined;
    put(runId: string): Promise<void>;
  };
  /** Notes that rows of the outbox are published. */
  readonly settleRows: (ids: readonly number[]) => Promise<void>;
  /** From the database alone: a grant, a device, or the tombstone of any session. @throws AppError `unavailable`. */
  readonly findDurable: (id: SessionId) => Session | undefined;
  /** Wherever it is. Throws or rejects with AppError `unavailable`. */
  readonly find: (id: SessionId) => MaybePromise<Session | undefined>;
  /** Every session of a person that nobody ended. Rejects as `find`. */
  readonly activeOf: (userId: UserId) => MaybePromise<readonly Session[]>;
  /** Ends a session that another program said is over, with its descendants. Rejects as `find`. */
  readonly endForeign: (id: SessionId) => Promise<unknown>;
  /** Ends what an "everywhere" could not find when it was committed. Rejects as `find`. */
  readonly endEverywhere: (everywhere: Everywhere) => Promise<void>;
  /**
   * After something may have been missed: takes ended sessions from a store that may have come back with an older copy of them,
   * and closes what hangs on those. Rejects as `find`.
   */
  readonly catchUp: (signal: AbortSignal) => Promise<void>;
}

/** The other processes that share this one's sessions. Disposing ends what goes on within a second; twice is harmless. */
export interface Elsewhere extends AsyncDisposable {
  readonly carrier: OutboxCarrier;
  readonly trust: Trust;
  /** Tells of sessions that began: best effort, because the first to ask reads them anyway. */
  announce(snapshots: readonly SessionSnapshot[]): void;
  /** Publishes what processes that died have left; for one process to do. */
  sweep(): Promise<void>;
  /** Resolves once it is known where in the streams to read on; rejects when that cannot be found out at the start. */
  readonly ready: Promise<void>;
}

export type OpenElsewhere = (here: HereParts) => Elsewhere;
