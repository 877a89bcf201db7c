import { eq, sql } from 'drizzle-orm';
import { deleteExpiredRows } from '../db/delete-expired.ts';
import type { Db } from '../db/open.ts';
import { hostTickets } from '../db/schema/index.ts';
import type { Tx } from '../db/write.ts';
import { once } from '../lib/once.ts';
import type { SessionId, TokenHash } from '../sessions/model.ts';
import type { UserId } from '../users/model.ts';
import type { HostTicket } from './model.ts';

export type TicketStore = ReturnType<typeof ticketStore>;

/** Host tickets in SQLite. Absence is `undefined`; only an outage throws. */
export function ticketStore(db: Db) {
  const byHash = once(() =>
    db.reader
      .select({ host: hostTickets.host })
      .from(hostTickets)
      .where(eq(hostTickets.hash, sql.placeholder('hash')))
      .prepare(),
  );

  return {
    /** Whether somebody may still come with it; costs no write, so that strangers cause none. */
    exists: (hash: TokenHash): boolean => byHash().get({ hash }) !== undefined,

    insert(tx: Tx, { parentSessionId, expiresAt, ...ticket }: HostTicket): void {
      tx.insert(hostTickets)
        .values({ ...ticket, parentSessionId, expiresAtMs: expiresAt })
        .run();
    },

    /** Takes the ticket out; whoever presents it first has used it up. */
    consume(tx: Tx, hash: TokenHash): HostTicket | undefined {
      const row = tx.delete(hostTickets).where(eq(hostTickets.hash, hash)).returning().get();
      return row === undefined ? undefined : toTicket(row);
    },

    /** Deletes what these sessions asked for. */
    deleteOf(tx: Tx, sessions: readonly SessionId[]): void {
      const ids = sql`(SELECT value FROM json_each(${JSON.stringify(sessions)}))`;
      tx.delete(hostTickets).where(sql`${hostTickets.parentSessionId} IN ${ids}`).run();
    },

    /** Deletes at most `limit` tickets that nobody came back with in time; returns how many. */
    deleteExpired: (tx: Tx, now: number, limit: number): number =>
      deleteExpiredRows(tx, hostTickets, hostTickets.expiresAtMs, now, limit),
  };
}

function toTicket(row: typeof hostTickets.$inferSelect): HostTicket {
  return {
    hash: row.hash as TokenHash,
    host: row.host,
    userId: row.userId as UserId,
    parentSessionId: row.parentSessionId as SessionId,
    flowHash: row.flowHash as TokenHash,
    returnPath: row.returnPath,
    expiresAt: row.expiresAtMs,
  };
}
