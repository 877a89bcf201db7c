import { and, asc, count, eq, gt, inArray, isNull } from 'drizzle-orm';
import { deleteExpiredRows } from '../db/delete-expired.ts';
import { readOrOutage } from '../db/errors.ts';
import { isOneOf } from '../db/one-of.ts';
import type { Db } from '../db/open.ts';
import { pairings } from '../db/schema/index.ts';
import type { Tx } from '../db/write.ts';
import type { SessionId } from '../sessions/model.ts';
import type { UserId } from '../users/model.ts';
import type { DeviceId, Pairing, PairingId, TakenProofs } from './model.ts';

/** What finds a pairing: the hashes that its code may be stored as, or the one of its token. */
export type PresentedHashes = { readonly code: readonly string[] } | { readonly token: string };

export type PairingStore = ReturnType<typeof pairingStore>;

/** Pairing codes in SQLite. Absence is `undefined`; only an outage throws. */
export function pairingStore(db: Db) {
  const waiting = (userId: UserId, now: number) =>
    and(eq(pairings.userId, userId), isNull(pairings.redeemedAtMs), gt(pairings.expiresAtMs, now));

  return {
    insert(
      tx: Tx,
      { createdAt, expiresAt, redeemedAt, ...pairing }: Pairing,
      hashes: { codeHash: string; tokenHash: string },
    ): void {
      tx.insert(pairings)
        .values({
          ...pairing,
          ...hashes,
          createdAtMs: createdAt,
          expiresAtMs: expiresAt,
          redeemedAtMs: redeemedAt,
        })
        .run();
    },

    read(tx: Tx, hashes: PresentedHashes): Pairing | undefined {
      const isMeant =
        'token' in hashes
          ? eq(pairings.tokenHash, hashes.token)
          : inArray(pairings.codeHash, [...hashes.code]);
      const row = tx.select().from(pairings).where(isMeant).get();
      return row === undefined ? undefined : toPairing(row);
    },

    /** Ties a code to the device that it gave. `false`: it has given one already. */
    redeem(tx: Tx, id: PairingId, { deviceId, at, expiresAt, proofs }: Redeemed): boolean {
      return (
        tx
          .update(pairings)
          .set({ redeemedAtMs: at, deviceId, expiresAtMs: expiresAt, proofs })
          .where(and(eq(pairings.id, id), isNull(pairings.redeemedAtMs)))
          .returning({ id: pairings.id })
          .get() !== undefined
      );
    },

    takeProof(tx: Tx, id: PairingId, proofs: TakenProofs): void {
      tx.update(pairings).set({ proofs }).where(eq(pairings.id, id)).run();
    },

    /** Those that a device could still redeem, oldest first. */
    listWaiting: (userId: UserId, now: number): Pairing[] =>
      readOrOutage(() =>
        db.reader
          .select()
          .from(pairings)
          .where(waiting(userId, now))
          .orderBy(asc(pairings.createdAtMs))
          .all(),
      ).map(toPairing),

    countWaiting: (tx: Tx, userId: UserId, now: number): number =>
      tx.select({ count: count() }).from(pairings).where(waiting(userId, now)).get()?.count ?? 0,

    /** Deletes a code that nobody has redeemed. `false`: this person has no such code. */
    cancel(tx: Tx, id: PairingId, userId: UserId | undefined): boolean {
      return (
        tx
          .delete(pairings)
          .where(
            and(
              eq(pairings.id, id),
              isNull(pairings.redeemedAtMs),
              userId === undefined ? undefined : eq(pairings.userId, userId),
            ),
          )
          .returning({ id: pairings.id })
          .get() !== undefined
      );
    },

    /** Voids the codes that these sessions made and nobody has redeemed. */
    voidOf(tx: Tx, sessions: readonly SessionId[]): void {
      tx.delete(pairings)
        .where(and(isOneOf(pairings.issuedBy, sessions), isNull(pairings.redeemedAtMs)))
        .run();
    },

    /** Voids the codes that these devices were paired with. */
    voidOfDevices(tx: Tx, devices: readonly DeviceId[]): void {
      tx.delete(pairings).where(isOneOf(pairings.deviceId, devices)).run();
    },

    deleteExpired: (tx: Tx, now: number, limit: number): number =>
      deleteExpiredRows(tx, pairings, pairings.expiresAtMs, now, limit),
  };
}

export interface Redeemed {
  readonly deviceId: DeviceId;
  readonly at: number;
  /** Until when its device may ask for its answer again. */
  readonly expiresAt: number;
  readonly proofs: TakenProofs;
}

function toPairing(row: typeof pairings.$inferSelect): Pairing {
  return {
    id: row.id as PairingId,
    userId: row.userId as UserId,
    issuedBy: (row.issuedBy ?? undefined) as SessionId | undefined,
    createdAt: row.createdAtMs,
    expiresAt: row.expiresAtMs,
    redeemedAt: row.redeemedAtMs ?? undefined,
    deviceId: (row.deviceId ?? undefined) as DeviceId | undefined,
    proofs: row.proofs,
  };
}
