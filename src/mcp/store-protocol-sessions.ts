import { and, asc, count, eq, inArray, lte, sql } from 'drizzle-orm';
import type { Db } from '../db/open.ts';
import { mcpProtocolSessions } from '../db/schema/index.ts';
import type { Tx } from '../db/write.ts';
import { once } from '../lib/once.ts';
import type { SessionId } from '../sessions/model.ts';

/** A protocol session of a legacy client (`Mcp-Session-Id`), with what a child has to be told again. */
export interface StoredProtocolSession {
  readonly id: string;
  /** The grant that it belongs to. */
  readonly sessionId: SessionId;
  readonly backend: string;
  readonly protocolVersion: string;
  readonly clientInfo: Readonly<Record<string, unknown>> | undefined;
  readonly capabilities: Readonly<Record<string, unknown>>;
  readonly logLevel: string | undefined;
  /** URIs of resources. */
  readonly subscriptions: readonly string[];
  readonly createdAt: number;
  readonly lastUsedAt: number;
}

export type ProtocolSessionStore = ReturnType<typeof protocolSessionStore>;

/** Protocol sessions of legacy clients in SQLite. Absence is `undefined`; only an outage throws. */
export function protocolSessionStore(db: Db) {
  const byId = once(() =>
    db.reader
      .select()
      .from(mcpProtocolSessions)
      .where(eq(mcpProtocolSessions.id, sql.placeholder('id')))
      .prepare(),
  );
  const rows = mcpProtocolSessions;

  return {
    find(id: string): StoredProtocolSession | undefined {
      const row = byId().get({ id });
      return row === undefined ? undefined : toStored(row);
    },

    insert(tx: Tx, { createdAt, lastUsedAt, clientInfo, logLevel, ...rest }: StoredProtocolSession): void {
      tx.insert(rows)
        .values({
          ...rest,
          clientInfo: clientInfo ?? null,
          logLevel: logLevel ?? null,
          createdAtMs: createdAt,
          lastUsedAtMs: lastUsedAt,
        })
        .run();
    },

    /** Writes what a child has to be told again, and the last use. */
    update(tx: Tx, { id, logLevel, subscriptions, lastUsedAt }: StoredProtocolSession): void {
      tx.update(rows)
        .set({ logLevel: logLevel ?? null, subscriptions, lastUsedAtMs: lastUsedAt })
        .where(eq(rows.id, id))
        .run();
    },

    /** `false`: there was none. */
    delete: (tx: Tx, id: string): boolean =>
      tx.delete(rows).where(eq(rows.id, id)).returning({ id: rows.id }).get() !== undefined,

    /** The protocol sessions of one grant at one backend that are too many, those unused for longest. */
    surplus(tx: Tx, { sessionId, backend, keep }: { sessionId: SessionId; backend: string; keep: number }) {
      const ofGrant = and(eq(rows.sessionId, sessionId), eq(rows.backend, backend));
      const total = tx.select({ n: count() }).from(rows).where(ofGrant).get()?.n ?? 0;
      if (total <= keep) return [];
      return tx
        .select({ id: rows.id })
        .from(rows)
        .where(ofGrant)
        .orderBy(asc(rows.lastUsedAtMs))
        .limit(total - keep)
        .all()
        .map(({ id }) => id);
    },

    /** Deletes those of grants that have ended. */
    deleteOf(tx: Tx, sessions: readonly SessionId[]): void {
      const ids = sql`(SELECT value FROM json_each(${JSON.stringify(sessions)}))`;
      tx.delete(rows).where(sql`${rows.sessionId} IN ${ids}`).run();
    },

    /** Deletes at most `limit` that nobody has used since `until`; returns how many. */
    deleteUnused(tx: Tx, until: number, limit: number): number {
      const unused = tx
        .select({ id: rows.id })
        .from(rows)
        .where(lte(rows.lastUsedAtMs, until))
        .limit(limit)
        .all()
        .map(({ id }) => id);
      if (unused.length > 0) tx.delete(rows).where(inArray(rows.id, unused)).run();
      return unused.length;
    },
  };
}

function toStored(row: typeof mcpProtocolSessions.$inferSelect): StoredProtocolSession {
  return {
    id: row.id,
    sessionId: row.sessionId as SessionId,
    backend: row.backend,
    protocolVersion: row.protocolVersion,
    clientInfo: row.clientInfo ?? undefined,
    capabilities: row.capabilities,
    logLevel: row.logLevel ?? undefined,
    subscriptions: row.subscriptions,
    createdAt: row.createdAtMs,
    lastUsedAt: row.lastUsedAtMs,
  };
}
