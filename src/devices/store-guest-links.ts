import { and, asc, count, eq, gt, inArray, sql } from 'drizzle-orm';
import { deleteExpiredRows } from '../db/delete-expired.ts';
import { readOrOutage } from '../db/errors.ts';
import { opaqueText } from '../db/opaque.ts';
import type { Db } from '../db/open.ts';
import { devices, guestLinks } from '../db/schema/index.ts';
import type { Tx } from '../db/write.ts';
import type { Branded } from '../lib/brand.ts';
import { once } from '../lib/once.ts';
import type { SessionId, TokenHash } from '../sessions/model.ts';

export type GuestLinkId = Branded<`gst_${string}`, 'GuestLinkId'>;

/** A link that lets somebody without an account reach one service of one device. */
export interface GuestLink {
  readonly id: GuestLinkId;
  readonly deviceId: string;
  readonly service: string;
  /** What its maker calls it. */
  readonly label: string;
  readonly createdAt: number;
  readonly expiresAt: number;
  /** How often it has begun a session. */
  readonly uses: number;
  readonly maxUses: number;
  readonly lastUsedAt: number | undefined;
}

export type NewGuestLink = Omit<GuestLink, 'uses' | 'lastUsedAt'> & { readonly secretHash: TokenHash };

export type GuestLinkStore = ReturnType<typeof guestLinkStore>;

/** Guest links in SQLite. Absence is `undefined`; only an outage throws. */
export function guestLinkStore(db: Db) {
  const byHash = once(() =>
    db.reader
      .select()
      .from(guestLinks)
      .where(eq(guestLinks.secretHash, opaqueText('hash')))
      .prepare(),
  );

  return {
    findByHash(hash: TokenHash): GuestLink | undefined {
      const row = readOrOutage(() => byHash().get({ hash }));
      return row === undefined ? undefined : toLink(row);
    },

    /** Those of a device that have not run out, oldest first. */
    listOf: (deviceId: string, now: number): GuestLink[] =>
      readOrOutage(() =>
        db.reader
          .select()
          .from(guestLinks)
          .where(and(eq(guestLinks.deviceId, deviceId), gt(guestLinks.expiresAtMs, now)))
          .orderBy(asc(guestLinks.createdAtMs), asc(guestLinks.id))
          .all(),
      ).map(toLink),

    countOf(tx: Tx, deviceId: string, now: number): number {
      const live = and(eq(guestLinks.deviceId, deviceId), gt(guestLinks.expiresAtMs, now));
      return tx.select({ count: count() }).from(guestLinks).where(live).get()?.count ?? 0;
    },

    insert(tx: Tx, { createdAt, expiresAt, ...link }: NewGuestLink): void {
      tx.insert(guestLinks)
        .values({ ...link, createdAtMs: createdAt, expiresAtMs: expiresAt, uses: 0 })
        .run();
    },

    find(tx: Tx, id: GuestLinkId): GuestLink | undefined {
      const row = tx.select().from(guestLinks).where(eq(guestLinks.id, id)).get();
      return row === undefined ? undefined : toLink(row);
    },

    /** Counts one use. `undefined`: it has ended, or was used as often as it may be. */
    use(tx: Tx, id: GuestLinkId, now: number): GuestLink | undefined {
      const isGood = sql`${guestLinks.expiresAtMs} > ${now} and ${guestLinks.uses} < ${guestLinks.maxUses}`;
      const row = tx
        .update(guestLinks)
        .set({ uses: sql`${guestLinks.uses} + 1`, lastUsedAtMs: now })
        .where(and(eq(guestLinks.id, id), isGood))
        .returning()
        .get();
      return row === undefined ? undefined : toLink(row);
    },

    delete(tx: Tx, id: GuestLinkId): void {
      tx.delete(guestLinks).where(eq(guestLinks.id, id)).run();
    },

    /** Deletes the links of the devices that these sessions are of. */
    deleteOfDeviceSessions(tx: Tx, ended: readonly SessionId[]): void {
      const ids = sql`(SELECT value FROM json_each(${JSON.stringify(ended)}))`;
      const deviceIds = tx
        .select({ id: devices.id })
        .from(devices)
        .where(sql`${devices.sessionId} IN ${ids}`);
      tx.delete(guestLinks).where(inArray(guestLinks.deviceId, deviceIds)).run();
    },

    /** Deletes at most `limit` links that have run out; their sessions ended with them. */
    deleteExpired: (tx: Tx, now: number, limit: number): number =>
      deleteExpiredRows(tx, guestLinks, guestLinks.expiresAtMs, now, limit),
  };
}

function toLink(row: typeof guestLinks.$inferSelect): GuestLink {
  return {
    id: row.id as GuestLinkId,
    deviceId: row.deviceId,
    service: row.service,
    label: row.label,
    createdAt: row.createdAtMs,
    expiresAt: row.expiresAtMs,
    uses: row.uses,
    maxUses: row.maxUses,
    lastUsedAt: row.lastUsedAtMs ?? undefined,
  };
}
