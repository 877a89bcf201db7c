import { and, desc, eq, inArray, lte, sql } from 'drizzle-orm';
import { readOrOutage } from '../db/errors.ts';
import { isOneOf } from '../db/one-of.ts';
import { opaqueText } from '../db/opaque.ts';
import type { Db } from '../db/open.ts';
import { credentials, sessions, users } from '../db/schema/index.ts';
import type { Tx } from '../db/write.ts';
import type { User, UserId } from '../users/model.ts';
import { toUser } from '../users/store-row.ts';
import type {
  Audience,
  Credential,
  FoundCredential,
  RevokeReason,
  Session,
  SessionId,
  SessionKind,
  TokenHash,
} from './model.ts';
import {
  FOUND_COLUMNS,
  type FoundRow,
  SIGNER_COLUMNS,
  type SignerRow,
  toFoundCredential,
  toFoundSigner,
} from './store-found.ts';
import { REVOKED_KEPT_MS } from './store-reaping.ts';
import { fromCredential, fromSession, toSession } from './store-row.ts';

export interface Revocation {
  at: number;
  reason: RevokeReason;
}

export type SessionStore = ReturnType<typeof sessionStore>;

/** Sessions and credentials in SQLite. Absence is `undefined`; only an outage throws. */
export function sessionStore(db: Db) {
  const byHash = db.reader
    .select(FOUND_COLUMNS)
    .from(credentials)
    .innerJoin(sessions, eq(sessions.rowKey, credentials.sessionKey))
    .innerJoin(users, eq(users.rowKey, sessions.userKey))
    .where(eq(credentials.hash, opaqueText('hash')))
    .prepare();
  const signerOf = db.reader
    .select(SIGNER_COLUMNS)
    .from(sessions)
    .innerJoin(users, eq(users.rowKey, sessions.userKey))
    .where(and(eq(sessions.id, opaqueText('id')), eq(sessions.kind, 'device')))
    .prepare();
  const byId = db.reader
    .select()
    .from(sessions)
    .where(eq(sessions.id, sql.placeholder('id')))
    .prepare();

  return {
    findByHash(hash: TokenHash): FoundCredential | undefined {
      const [row] = readOrOutage<unknown>(() => byHash.values({ hash })) as FoundRow[];
      return row === undefined ? undefined : toFoundCredential(row);
    },

    findSigner(id: SessionId): FoundCredential | undefined {
      const [row] = readOrOutage<unknown>(() => signerOf.values({ id })) as SignerRow[];
      return row === undefined ? undefined : toFoundSigner(row);
    },

    find(id: SessionId): Session | undefined {
      const row = readOrOutage(() => byId.get({ id }));
      return row === undefined ? undefined : toSession(row);
    },

    /** Sessions that nobody revoked, newest use first; some may have run out. */
    listActive(userId: UserId): Session[] {
      return readOrOutage(() =>
        db.reader
          .select()
          .from(sessions)
          .where(and(eq(sessions.userId, userId), eq(sessions.status, 'active')))
          .orderBy(desc(sessions.lastSeenAtMs))
          .all(),
      ).map(toSession);
    },

    findByProviderSid(provider: string, sid: string): Session[] {
      return readOrOutage(() =>
        db.reader
          .select()
          .from(sessions)
          .where(
            and(
              eq(sessions.provider, provider),
              eq(sessions.providerSid, sid),
              eq(sessions.status, 'active'),
            ),
          )
          .all(),
      ).map(toSession);
    },

    countActiveByKind(): Record<SessionKind, number> {
      const counts: Record<SessionKind, number> = { user: 0, grant: 0, device: 0 };
      const rows = db.reader
        .select({ kind: sessions.kind, count: sql<number>`count(*)` })
        .from(sessions)
        .where(eq(sessions.status, 'active'))
        .groupBy(sessions.kind)
        .all();
      for (const { kind, count } of rows) counts[kind] = count;
      return counts;
    },

    findUser(tx: Tx, id: UserId): User | undefined {
      const row = tx.select().from(users).where(eq(users.id, id)).get();
      return row === undefined ? undefined : toUser(row);
    },

    read(tx: Tx, id: SessionId): Session | undefined {
      const row = tx.select().from(sessions).where(eq(sessions.id, id)).get();
      return row === undefined ? undefined : toSession(row);
    },

    /** Active child sessions of this parent at one audience. */
    childrenAt(tx: Tx, parentId: SessionId, audience: Audience): SessionId[] {
      return tx
        .select({ id: sessions.id, audience: sessions.audience })
        .from(sessions)
        .where(and(eq(sessions.parentId, parentId), eq(sessions.status, 'active')))
        .all()
        .filter((row) => row.audience.includes(audience))
        .map(({ id }) => id as SessionId);
    },

    insert(tx: Tx, session: Session, credential: Credential): void {
      const userKey = sql`(SELECT ${users.rowKey} FROM ${users} WHERE ${users.id} = ${session.userId})`;
      const { sessionKey } = tx
        .insert(sessions)
        .values({ ...fromSession(session), userKey })
        .returning({ sessionKey: sessions.rowKey })
        .get();
      tx.insert(credentials)
        .values({ ...fromCredential(credential), sessionKey })
        .run();
    },

    /** Ids of the session and its descendants that are active. */
    activeTree(tx: Tx | Db['reader'], id: SessionId): SessionId[] {
      const rows = tx.all<{ id: SessionId }>(sql`
        WITH RECURSIVE tree(id) AS (
          SELECT ${id} UNION SELECT s.id FROM sessions s JOIN tree ON s.parent_id = tree.id
        )
        SELECT s.id AS id FROM sessions s JOIN tree ON s.id = tree.id WHERE s.status = 'active'`);
      return rows.map((row) => row.id);
    },

    /** Adds a credential to a session that is there. */
    addCredential(tx: Tx, credential: Credential): void {
      const sessionKey = sql`(SELECT ${sessions.rowKey} FROM ${sessions} WHERE ${sessions.id} = ${credential.sessionId})`;
      tx.insert(credentials)
        .values({ ...fromCredential(credential), sessionKey })
        .run();
    },

    /** Ids of a user's active sessions of these kinds; with `before`, of those that began at that time or earlier. */
    activeOfUser(
      tx: Tx | Db['reader'],
      userId: UserId,
      kinds: readonly SessionKind[],
      before?: number,
    ): SessionId[] {
      return tx
        .select({ id: sessions.id })
        .from(sessions)
        .where(
          and(
            eq(sessions.userId, userId),
            eq(sessions.status, 'active'),
            inArray(sessions.kind, [...kinds]),
            before === undefined ? undefined : lte(sessions.createdAtMs, before),
          ),
        )
        .all()
        .map(({ id }) => id as SessionId);
    },

    /** Revokes what of `ids` is still active; returns the sessions as they stand now. Revoked is never set back. */
    revoke(tx: Tx, ids: readonly SessionId[], { at, reason }: Revocation): Session[] {
      return tx
        .update(sessions)
        .set({
          status: 'revoked',
          revokedAtMs: at,
          revokeReason: reason,
          reapAtMs: sql`coalesce(${sessions.reapAtMs}, ${at + REVOKED_KEPT_MS})`,
        })
        .where(and(isOneOf(sessions.id, ids), eq(sessions.status, 'active')))
        .returning()
        .all()
        .map(toSession);
    },

    /** Remembers that everything of this user begun before `at` is over; never set back. */
    setEndedBefore(tx: Tx, userId: UserId, at: number): void {
      tx.update(users)
        .set({ endedBeforeMs: sql`max(coalesce(${users.endedBeforeMs}, 0), ${at})` })
        .where(eq(users.id, userId))
        .run();
    },

    /** Moves last uses forward, all in one statement; never back. */
    touch(tx: Tx, lastSeen: ReadonlyMap<SessionId, number>): void {
      const touches = JSON.stringify(Object.fromEntries(lastSeen));
      tx.run(sql`
        UPDATE sessions SET last_seen_at_ms = max(last_seen_at_ms, touch.value)
        FROM json_each(${touches}) AS touch WHERE sessions.id = touch.key`);
    },
  };
}
