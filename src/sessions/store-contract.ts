import type { Tx } from '../db/write.ts';
import type { MaybePromise } from '../lib/maybe-promise.ts';
import type { User, UserId } from '../users/model.ts';
import type {
  Audience,
  Credential,
  CredentialReader,
  RecognisedSession,
  RevokeReason,
  Session,
  SessionId,
  SessionKind,
} from './model.ts';
import type { EndedGroup } from './store-standing.ts';

export interface Revocation {
  at: number;
  reason: RevokeReason;
}

/**
 * Where sessions are kept: in SQLite alone, or those of browsers in Redis. Absence is `undefined`; only an outage throws.
 *
 * What takes a `tx` belongs to its write and is synchronous for both: a job that has to know what Redis holds runs again
 * once that is read (`readBefore`), so it must be repeatable.
 */
export interface SessionStore extends CredentialReader {
  find(id: SessionId): MaybePromise<Session | undefined>;
  /** Sessions that nobody revoked, newest use first; some may have run out. */
  listActive(userId: UserId): MaybePromise<Session[]>;
  /** The same of the session at a provider (`sid`). */
  findByProviderSid(provider: string, sid: string): MaybePromise<Session[]>;
  countActiveByKind(): Record<SessionKind, number>;

  findUser(tx: Tx, id: UserId): User | undefined;
  read(tx: Tx, id: SessionId): Session | undefined;
  readByProviderSid(tx: Tx, provider: string, sid: string): Session[];
  /** Active child sessions of this parent at one audience. */
  childrenAt(tx: Tx, parentId: SessionId, audience: Audience): SessionId[];
  /** Returns the session as it is kept. */
  insert(tx: Tx, session: Session, credential: Credential): Session;
  /** Adds a credential to a session that is there. */
  addCredential(tx: Tx, credential: Credential): void;
  /** Ids of the session and its descendants that are active. */
  activeTree(tx: Tx, id: SessionId): SessionId[];
  /** Ids of a user's sessions of these kinds that nobody revoked; with `before`, of those that began at that time or earlier. */
  activeOfUser(tx: Tx, userId: UserId, kinds: readonly SessionKind[], before?: number): SessionId[];
  /** Whether this write was told of all sessions it asked for. Otherwise of those that memory and the database know. */
  knowsAll(tx: Tx): boolean;
  /** Revokes what of `ids` is still active; returns the sessions as they stand now. Revoked is never set back. */
  revoke(tx: Tx, ids: readonly SessionId[], revocation: Revocation): Session[];
  /** Remembers that everything of this user begun until `at` is over, but for `except` and its children; never set back. */
  setEndedBefore(tx: Tx, userId: UserId, at: number, except: SessionId | undefined): void;
  /** Remembers that these are over, also those that no list of the store names; nothing where lists are complete. */
  endGroup(tx: Tx, group: EndedGroup): void;
  /** Moves last uses forward, never back. */
  touch(tx: Tx, lastSeen: ReadonlyMap<SessionId, number>): void;

  /** `activeTree` and `activeOfUser`, of what can be read at once: for when nothing can be written. Throws where nothing can be read either. */
  knownTree(id: SessionId): SessionId[];
  knownOfUser(userId: UserId, kinds: readonly SessionKind[]): SessionId[];
}

/** Sessions that this process has in memory. */
export interface SessionMemory {
  find(id: SessionId): RecognisedSession | undefined;
  ofUser(userId: UserId): RecognisedSession[];
}
