import { and, eq, gt, inArray, sql } from 'drizzle-orm';
import { deleteExpiredRows } from '../db/delete-expired.ts';
import { readOrOutage } from '../db/errors.ts';
import type { Db } from '../db/open.ts';
import { oauthDeviceRequests } from '../db/schema/index.ts';
import type { Tx } from '../db/write.ts';
import type { SessionId, TokenHash } from '../sessions/model.ts';
import type { UserId } from '../users/model.ts';
import type { DeviceRequest } from './model.ts';

/** What a person consented to. */
export interface Approval {
  readonly userId: UserId;
  readonly issuedBy: SessionId;
  readonly resource: string;
  readonly scope: string;
  /** Until when the program may fetch it. */
  readonly expiresAt: number;
  readonly reapAt: number;
}

export type DeviceRequestStore = ReturnType<typeof deviceRequestStore>;

/** Requests of programs without a browser, in SQLite. Absence is `undefined`; only an outage throws. */
export function deviceRequestStore(db: Db) {
  const select = (source: Tx | Db['reader'], hash: TokenHash) => {
    const row = source
      .select()
      .from(oauthDeviceRequests)
      .where(eq(oauthDeviceRequests.deviceHash, hash))
      .get();
    return row === undefined ? undefined : toRequest(row);
  };
  const isPending = (hash: TokenHash, now: number) =>
    and(
      eq(oauthDeviceRequests.deviceHash, hash),
      eq(oauthDeviceRequests.status, 'pending'),
      gt(oauthDeviceRequests.expiresAtMs, now),
    );
  const answer = (
    tx: Tx,
    hash: TokenHash,
    now: number,
    values: Partial<typeof oauthDeviceRequests.$inferInsert>,
  ) => {
    const row = tx
      .update(oauthDeviceRequests)
      .set(values)
      .where(isPending(hash, now))
      .returning({ hash: oauthDeviceRequests.deviceHash })
      .get();
    return row !== undefined;
  };

  return {
    find: (hash: TokenHash) => readOrOutage(() => select(db.reader, hash)),
    read: (tx: Tx, hash: TokenHash) => select(tx, hash),

    /** The request that one of these hashes of a user code belongs to, whatever became of it. */
    findByUserCode(hashes: readonly string[]): DeviceRequest | undefined {
      return readOrOutage(() => {
        const row = db.reader
          .select()
          .from(oauthDeviceRequests)
          .where(inArray(oauthDeviceRequests.userCodeHash, hashes))
          .get();
        return row === undefined ? undefined : toRequest(row);
      });
    },

    /** How many wait for somebody. */
    countPending(tx: Tx, now: number): number {
      const row = tx
        .select({ rows: sql<number>`count(*)` })
        .from(oauthDeviceRequests)
        .where(and(eq(oauthDeviceRequests.status, 'pending'), gt(oauthDeviceRequests.expiresAtMs, now)))
        .get();
      return row?.rows ?? 0;
    },

    insert(
      tx: Tx,
      { hash, createdAt, expiresAt, resources, ...request }: DeviceRequest,
      { userCodeHash, reapAt }: { userCodeHash: string; reapAt: number },
    ): void {
      tx.insert(oauthDeviceRequests)
        .values({
          ...request,
          deviceHash: hash,
          userCodeHash,
          resources: [...resources],
          createdAtMs: createdAt,
          expiresAtMs: expiresAt,
          reapAtMs: reapAt,
        })
        .run();
    },

    /** `false`: somebody has answered, or it has run out. */
    approve: (tx: Tx, hash: TokenHash, now: number, { expiresAt, reapAt, ...approval }: Approval): boolean =>
      answer(tx, hash, now, {
        ...approval,
        status: 'approved',
        expiresAtMs: expiresAt,
        reapAtMs: reapAt,
      }),

    /** `false`: somebody has answered, or it has run out. */
    deny: (tx: Tx, hash: TokenHash, now: number): boolean => answer(tx, hash, now, { status: 'denied' }),

    /** Ties a request to what it gave. `false`: it has given something already. */
    redeem(tx: Tx, hash: TokenHash, sessionId: SessionId): boolean {
      const row = tx
        .update(oauthDeviceRequests)
        .set({ status: 'redeemed', sessionId })
        .where(and(eq(oauthDeviceRequests.deviceHash, hash), eq(oauthDeviceRequests.status, 'approved')))
        .returning({ hash: oauthDeviceRequests.deviceHash })
        .get();
      return row !== undefined;
    },

    /** Takes back what these sessions consented to and no program has fetched. */
    voidOf(tx: Tx, sessions: readonly SessionId[]): void {
      const ids = sql`(SELECT value FROM json_each(${JSON.stringify(sessions)}))`;
      tx.update(oauthDeviceRequests)
        .set({ status: 'denied' })
        .where(
          sql`${oauthDeviceRequests.issuedBy} IN ${ids} AND ${eq(oauthDeviceRequests.status, 'approved')}`,
        )
        .run();
    },

    deleteExpired: (tx: Tx, now: number, limit: number): number =>
      deleteExpiredRows(tx, oauthDeviceRequests, oauthDeviceRequests.reapAtMs, now, limit),
  };
}

function toRequest(found: typeof oauthDeviceRequests.$inferSelect): DeviceRequest {
  const { deviceHash, createdAtMs, expiresAtMs, userCodeHash: _, reapAtMs: __, ...row } = found;
  return {
    ...row,
    hash: deviceHash as TokenHash,
    address: row.address ?? undefined,
    userId: (row.userId ?? undefined) as UserId | undefined,
    issuedBy: (row.issuedBy ?? undefined) as SessionId | undefined,
    resource: row.resource ?? undefined,
    scope: row.scope ?? undefined,
    sessionId: (row.sessionId ?? undefined) as SessionId | undefined,
    createdAt: createdAtMs,
    expiresAt: expiresAtMs,
  };
}
