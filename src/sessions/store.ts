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
  CredentialUse,
  FoundCredential,
  Session,
  SessionId,
  SessionKind,
  TokenHash,
} from './model.ts';
import type { Revocation, SessionStore } from './store-contract.ts';
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

/** What SQLite answers, it answers at once. */
export interface DurableSessionStore extends SessionStore {
  findByHash(hash: TokenHash, use?: CredentialUse): FoundCredential | undefined;
  findSigner(id: SessionId): FoundCredential | undefined;
  find(id: SessionId): Session | undefined;
  listActive(userId: UserId): Session[];
  findByProviderSid(provider: string, sid: string): Session[];
  /** The session and its descendants, whatever became of them. */
  tree(tx: Tx, id: SessionId): TreeRow[];
  /** Which of these are there, whatever became of them. */
  knownAmong(tx: Tx, ids: readonly SessionId[]): Map<SessionId, SessionKind>;
}

export type TreeRow = Pick<Session, 'id' | 'kind' | 'userId' | 'status'>;

/** Sessions and credentials in SQLite. Absence is `undefined`; only an outage throws. */
export function sessionStore(db: Db): DurableSessionStore {
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

  const tree = (tx: Tx | Db['reader'], id: SessionId): TreeRow[] =>
    tx.all<TreeRow>(sql`
      WITH RECURSIVE tree(id) AS (
        SELECT ${id} UNION SELECT s.id FROM sessions s JOIN tree ON s.parent_id = tree.id
      )
      SELECT s.id AS id, s.kind AS kind, s.user_id AS userId, s.status AS status
      FROM sessions s JOIN tree ON s.id = tree.id`);

  const activeTree = (tx: Tx | Db['reader'], id: SessionId): SessionId[] =>
    tree(tx, id)
      .filter(({ status }) => status === 'active')
      .map((row) => row.id);

  const activeOfUser = (
    tx: Tx | Db['reader'],
    userId: UserId,
    kinds: readonly SessionKind[],
    before?: number,
  ): SessionId[] =>
    tx
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

  const findByProviderSid = (provider: string, sid: string): Session[] =>
    readOrOutage(() =>
      db.reader
        .select()
        .from(sessions)
        .where(
          and(eq(sessions.provider, provider), eq(sessions.providerSid, sid), eq(sessions.status, 'active')),
        )
        .all(),
    ).map(toSession);

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

    findByProviderSid,

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

    // The statements of `db.reader` run in the open transaction.
    readByProviderSid: (_tx, provider, sid) => findByProviderSid(provider, sid),

    childrenAt(tx: Tx, parentId: SessionId, audience: Audience): SessionId[] {
      return tx
        .select({ id: sessions.id, audience: sessions.audience })
        .from(sessions)
        .where(and(eq(sessions.parentId, parentId), eq(sessions.status, 'active')))
        .all()
        .filter((row) => row.audience.includes(audience))
        .map(({ id }) => id as SessionId);
    },

    insert(tx: Tx, session: Session, credential: Credential): Session {
      const userKey = sql`(SELECT ${users.rowKey} FROM ${users} WHERE ${users.id} = ${session.userId})`;
      const { sessionKey } = tx
        .insert(sessions)
        .values({ ...fromSession(session), userKey })
        .returning({ sessionKey: sessions.rowKey })
        .get();
      tx.insert(credentials)
        .values({ ...fromCredential(credential), sessionKey })
        .run();
      return session;
    },

    tree,
    activeTree,
    knownTree: (id) => activeTree(db.reader, id),
    activeOfUser,
    knownOfUser: (userId, kinds) => activeOfUser(db.reader, userId, kinds),
    knowsAll: () => true,

    knownAmong(tx, ids) {
      const rows = tx
        .select({ id: sessions.id, kind: sessions.kind })
        .from(sessions)
        .where(isOneOf(sessions.id, ids))
        .all();
      return new Map(rows.map(({ id, kind }) => [id as SessionId, kind]));
    },

    addCredential(tx: Tx, credential: Credential): void {
      const sessionKey = sql`(SELECT ${sessions.rowKey} FROM ${sessions} WHERE ${sessions.id} = ${credential.sessionId})`;
      tx.insert(credentials)
        .values({ ...fromCredential(credential), sessionKey })
        .run();
    },

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

    setEndedBefore(tx: Tx, userId: UserId, at: number, except: SessionId | undefined): void {
      const last = sql`coalesce(${users.endedBeforeMs}, 0)`;
      tx.update(users)
        .set({
          endedBeforeMs: sql`max(${last}, ${at})`,
          endedExceptId: sql`CASE WHEN ${last} > ${at} THEN ${users.endedExceptId} ELSE ${except ?? null} END`,
        })
        .where(eq(users.id, userId))
        .run();
    },

    endGroup: () => undefined,

    /** All in one statement. What is known already writes nothing: a batch of which Redis could not take its part comes again. */
    touch(tx: Tx, lastSeen: ReadonlyMap<SessionId, number>): void {
      const touches = JSON.stringify(Object.fromEntries(lastSeen));
      tx.run(sql`
        UPDATE sessions SET last_seen_at_ms = touch.value FROM json_each(${touches}) AS touch
        WHERE sessions.id = touch.key AND sessions.last_seen_at_ms < touch.value`);
    },
  };
}
