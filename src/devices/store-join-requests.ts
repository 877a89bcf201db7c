import { and, count, eq, gt, inArray } from 'drizzle-orm';
import { deleteExpiredRows } from '../db/delete-expired.ts';
import { readOrOutage } from '../db/errors.ts';
import { isOneOf } from '../db/one-of.ts';
import type { Db } from '../db/open.ts';
import { pairingRequests } from '../db/schema/index.ts';
import type { Tx } from '../db/write.ts';
import type { SessionId, TokenHash } from '../sessions/model.ts';
import type { DevicePublicKey } from '../signatures/model.ts';
import type { UserId } from '../users/model.ts';
import type { DeviceAbout, DeviceId, TakenProofs } from './model.ts';

/** A device that asks to be let in, and what became of that. */
export interface JoinRequest {
  /** Of the device code. */
  readonly hash: TokenHash;
  readonly publicKey: DevicePublicKey;
  readonly about: DeviceAbout;
  /** Where it asked from. */
  readonly address: string | undefined;
  readonly status: 'pending' | 'approved' | 'denied' | 'redeemed';
  readonly userId: UserId | undefined;
  readonly issuedBy: SessionId | undefined;
  readonly deviceId: DeviceId | undefined;
  readonly proofs: TakenProofs;
  readonly createdAt: number;
  readonly expiresAt: number;
}

type Row = typeof pairingRequests.$inferSelect;
type Columns = Partial<typeof pairingRequests.$inferInsert>;

export type JoinRequestStore = ReturnType<typeof joinRequestStore>;

/** Devices that ask to be let in, in SQLite. Absence is `undefined`; only an outage throws. */
export function joinRequestStore(db: Db) {
  const select = (source: Tx | Db['reader'], hash: TokenHash) => {
    const row = source.select().from(pairingRequests).where(eq(pairingRequests.deviceHash, hash)).get();
    return row === undefined ? undefined : toRequest(row);
  };
  const isPending = (now: number) =>
    and(eq(pairingRequests.status, 'pending'), gt(pairingRequests.expiresAtMs, now));

  /** `false`: somebody has answered, or it has run out. */
  const answer = (tx: Tx, hash: TokenHash, now: number, columns: Columns): boolean => {
    const row = tx
      .update(pairingRequests)
      .set(columns)
      .where(and(eq(pairingRequests.deviceHash, hash), isPending(now)))
      .returning({ hash: pairingRequests.deviceHash })
      .get();
    return row !== undefined;
  };

  return {
    find: (hash: TokenHash) => readOrOutage(() => select(db.reader, hash)),
    read: (tx: Tx, hash: TokenHash) => select(tx, hash),

    /** The request whose code was stored as one of these, whatever became of it. */
    findByUserCode(hashes: readonly string[]): JoinRequest | undefined {
      const row = readOrOutage(() =>
        db.reader
          .select()
          .from(pairingRequests)
          .where(inArray(pairingRequests.userCodeHash, [...hashes]))
          .get(),
      );
      return row === undefined ? undefined : toRequest(row);
    },

    countPending: (tx: Tx, now: number): number =>
      tx.select({ count: count() }).from(pairingRequests).where(isPending(now)).get()?.count ?? 0,

    /** Takes out what this key still asks for; returns the proofs that were taken for it. */
    withdraw(tx: Tx, publicKey: DevicePublicKey): TakenProofs {
      return tx
        .delete(pairingRequests)
        .where(and(eq(pairingRequests.publicKey, publicKey), eq(pairingRequests.status, 'pending')))
        .returning({ proofs: pairingRequests.proofs })
        .all()
        .flatMap(({ proofs }) => proofs);
    },

    insert(
      tx: Tx,
      { hash, createdAt, expiresAt, ...request }: JoinRequest,
      { userCodeHash, reapAt }: { userCodeHash: string; reapAt: number },
    ): void {
      tx.insert(pairingRequests)
        .values({
          ...request,
          deviceHash: hash,
          userCodeHash,
          createdAtMs: createdAt,
          expiresAtMs: expiresAt,
          reapAtMs: reapAt,
        })
        .run();
    },

    approve: (
      tx: Tx,
      hash: TokenHash,
      now: number,
      by: { userId: UserId; issuedBy: SessionId; expiresAt: number; reapAt: number },
    ): boolean =>
      answer(tx, hash, now, {
        status: 'approved',
        userId: by.userId,
        issuedBy: by.issuedBy,
        expiresAtMs: by.expiresAt,
        reapAtMs: by.reapAt,
      }),

    deny: (tx: Tx, hash: TokenHash, now: number): boolean => answer(tx, hash, now, { status: 'denied' }),

    /** Notes a proof that counted, and the device that it gave. */
    redeemed(tx: Tx, hash: TokenHash, deviceId: DeviceId, proofs: TakenProofs): void {
      tx.update(pairingRequests)
        .set({ status: 'redeemed', deviceId, proofs })
        .where(eq(pairingRequests.deviceHash, hash))
        .run();
    },

    /** Takes back what these sessions approved and no device has fetched. */
    voidOf(tx: Tx, sessions: readonly SessionId[]): void {
      tx.update(pairingRequests)
        .set({ status: 'denied' })
        .where(and(isOneOf(pairingRequests.issuedBy, sessions), eq(pairingRequests.status, 'approved')))
        .run();
    },

    deleteExpired: (tx: Tx, now: number, limit: number): number =>
      deleteExpiredRows(tx, pairingRequests, pairingRequests.reapAtMs, now, limit),
  };
}

function toRequest(row: Row): JoinRequest {
  return {
    hash: row.deviceHash as TokenHash,
    publicKey: row.publicKey as DevicePublicKey,
    about: toAbout(row.about as DeviceAbout),
    address: row.address ?? undefined,
    status: row.status,
    userId: (row.userId ?? undefined) as UserId | undefined,
    issuedBy: (row.issuedBy ?? undefined) as SessionId | undefined,
    deviceId: (row.deviceId ?? undefined) as DeviceId | undefined,
    proofs: row.proofs,
    createdAt: row.createdAtMs,
    expiresAt: row.expiresAtMs,
  };
}

/** JSON keeps nothing of what is `undefined`. */
function toAbout({ name, serial, platform, chip, labels }: DeviceAbout): DeviceAbout {
  return { name, serial, platform, chip, labels };
}
