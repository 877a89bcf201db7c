import { eq, sql } from 'drizzle-orm';
import { deleteExpiredRows } from '../db/delete-expired.ts';
import { readOrOutage } from '../db/errors.ts';
import type { Db } from '../db/open.ts';
import { oauthClients } from '../db/schema/index.ts';
import type { Tx } from '../db/write.ts';
import type { ClientMetadata } from './model.ts';

/** A client that registered itself. */
export interface RegisteredClient extends ClientMetadata {
  readonly id: string;
  readonly createdAt: number;
}

export type ClientStore = ReturnType<typeof clientStore>;

/** Registered clients in SQLite. Absence is `undefined`; only an outage throws. */
export function clientStore(db: Db) {
  return {
    find(id: string): RegisteredClient | undefined {
      return readOrOutage(() => {
        const row = db.reader.select().from(oauthClients).where(eq(oauthClients.id, id)).get();
        return row === undefined ? undefined : toClient(row);
      });
    },

    /** The client with this metadata, whose row is kept until `reapAt` at least. */
    findSame(tx: Tx, metadataHash: string, reapAt: number): RegisteredClient | undefined {
      const row = tx
        .update(oauthClients)
        .set({ reapAtMs: sql`max(${oauthClients.reapAtMs}, ${reapAt})` })
        .where(eq(oauthClients.metadataHash, metadataHash))
        .returning()
        .get();
      return row === undefined ? undefined : toClient(row);
    },

    count: (tx: Tx): number => tx.select({ rows: sql<number>`count(*)` }).from(oauthClients).get()?.rows ?? 0,

    insert(
      tx: Tx,
      { id, createdAt, ...metadata }: RegisteredClient,
      metadataHash: string,
      reapAt: number,
    ): void {
      tx.insert(oauthClients)
        .values({ id, metadataHash, metadata, createdAtMs: createdAt, reapAtMs: reapAt })
        .run();
    },

    /** Somebody consented to it. */
    used(tx: Tx, id: string, reapAt: number): void {
      tx.update(oauthClients)
        .set({ reapAtMs: sql`max(${oauthClients.reapAtMs}, ${reapAt})` })
        .where(eq(oauthClients.id, id))
        .run();
    },

    deleteExpired: (tx: Tx, now: number, limit: number): number =>
      deleteExpiredRows(tx, oauthClients, oauthClients.reapAtMs, now, limit),
  };
}

function toClient(row: typeof oauthClients.$inferSelect): RegisteredClient {
  return { ...(row.metadata as ClientMetadata), id: row.id, createdAt: row.createdAtMs };
}
