import { and, asc, count, desc, eq, gt, inArray, isNotNull, isNull, lte, ne, or } from 'drizzle-orm';
import { deleteExpiredRows } from '../db/delete-expired.ts';
import { readOrOutage } from '../db/errors.ts';
import { isOneOf } from '../db/one-of.ts';
import type { Db } from '../db/open.ts';
import { deliveries } from '../db/schema/index.ts';
import type { Tx } from '../db/write.ts';
import type { Branded } from '../lib/brand.ts';
import type { UserId } from '../users/model.ts';
import type { DeviceId } from './model.ts';

export type DeliveryId = Branded<`dlv_${string}`, 'DeliveryId'>;

/** What a device made of a delivery. */
export type DeliveryOutcome = 'done' | 'failed';

/** A small message that waits for a device, or did. */
export interface Delivery {
  /** Rises from one to the next. */
  readonly sequence: number;
  readonly id: DeliveryId;
  readonly deviceId: DeviceId;
  /** JSON. */
  readonly body: string;
  readonly status: 'queued' | 'received' | 'cancelled';
  readonly createdBy: UserId;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly handedOutAt: number | undefined;
  readonly settledAt: number | undefined;
  readonly outcome: DeliveryOutcome | undefined;
  /** What the device said of it. */
  readonly note: string | undefined;
}

export type NewDelivery = Pick<
  Delivery,
  'id' | 'deviceId' | 'body' | 'createdBy' | 'createdAt' | 'expiresAt'
> & { readonly reapAt: number };

export interface DeliveryReceipt {
  readonly outcome: DeliveryOutcome;
  readonly note: string | undefined;
}

export type DeliveryStore = ReturnType<typeof deliveryStore>;

const isQueued = eq(deliveries.status, 'queued');

/** Deliveries in SQLite. Absence is `undefined`; only an outage throws. */
export function deliveryStore(db: Db) {
  const waiting = (deviceId: DeviceId, now: number) =>
    and(eq(deliveries.deviceId, deviceId), isQueued, gt(deliveries.expiresAtMs, now));
  const one = (deviceId: DeviceId, id: DeliveryId) =>
    and(eq(deliveries.id, id), eq(deliveries.deviceId, deviceId));

  return {
    insert(tx: Tx, { createdAt, expiresAt, reapAt, ...delivery }: NewDelivery): Delivery {
      const row = tx
        .insert(deliveries)
        .values({
          ...delivery,
          status: 'queued',
          createdAtMs: createdAt,
          expiresAtMs: expiresAt,
          reapAtMs: reapAt,
        })
        .returning()
        .get();
      return toDelivery(row);
    },

    /** Newest first. */
    list: (deviceId: DeviceId, limit: number): Delivery[] =>
      readOrOutage(() =>
        db.reader
          .select()
          .from(deliveries)
          .where(eq(deliveries.deviceId, deviceId))
          .orderBy(desc(deliveries.sequence))
          .limit(limit)
          .all(),
      ).map(toDelivery),

    /** What waits for the device, oldest first. */
    listWaiting: (deviceId: DeviceId, now: number, limit: number): Delivery[] =>
      readOrOutage(() =>
        db.reader
          .select()
          .from(deliveries)
          .where(waiting(deviceId, now))
          .orderBy(asc(deliveries.sequence))
          .limit(limit)
          .all(),
      ).map(toDelivery),

    countWaiting(tx: Tx, deviceId: DeviceId, now: number): number {
      return tx.select({ count: count() }).from(deliveries).where(waiting(deviceId, now)).get()?.count ?? 0;
    },

    countAllWaiting: (now: number): number =>
      db.reader
        .select({ count: count() })
        .from(deliveries)
        .where(and(isQueued, gt(deliveries.expiresAtMs, now)))
        .get()?.count ?? 0,

    read(tx: Tx, deviceId: DeviceId, id: DeliveryId): Delivery | undefined {
      const row = tx.select().from(deliveries).where(one(deviceId, id)).get();
      return row === undefined ? undefined : toDelivery(row);
    },

    /** Notes that the device got these for the first time. */
    handOut(tx: Tx, ids: readonly DeliveryId[], now: number): void {
      tx.update(deliveries)
        .set({ handedOutAtMs: now })
        .where(and(inArray(deliveries.id, [...ids]), isNull(deliveries.handedOutAtMs)))
        .run();
    },

    /** `false`: it does not wait any more. One that ran out after the device got it can still be answered for. */
    receive(
      tx: Tx,
      { deviceId, id }: Pick<Delivery, 'deviceId' | 'id'>,
      { outcome, note }: DeliveryReceipt,
      { now, reapAt }: { now: number; reapAt: number },
    ): boolean {
      const isOpen = or(gt(deliveries.expiresAtMs, now), isNotNull(deliveries.handedOutAtMs));
      const row = tx
        .update(deliveries)
        .set({ status: 'received', outcome, note: note ?? null, settledAtMs: now, reapAtMs: reapAt })
        .where(and(one(deviceId, id), isQueued, isOpen))
        .returning({ id: deliveries.id })
        .get();
      return row !== undefined;
    },

    /** `false`: it does not wait any more. */
    cancel(
      tx: Tx,
      { deviceId, id }: Pick<Delivery, 'deviceId' | 'id'>,
      { now, reapAt }: { now: number; reapAt: number },
    ): boolean {
      const row = tx
        .update(deliveries)
        .set({ status: 'cancelled', settledAtMs: now, reapAtMs: reapAt })
        .where(and(one(deviceId, id), isQueued, gt(deliveries.expiresAtMs, now)))
        .returning({ id: deliveries.id })
        .get();
      return row !== undefined;
    },

    /** Cancels everything that waits for these devices; says how many there were. */
    cancelOf(tx: Tx, deviceIds: readonly DeviceId[], now: number): number {
      return tx
        .update(deliveries)
        .set({ status: 'cancelled', settledAtMs: now })
        .where(and(isOneOf(deliveries.deviceId, deviceIds), isQueued, gt(deliveries.expiresAtMs, now)))
        .returning({ id: deliveries.id })
        .all().length;
    },

    /** Deletes what is settled or has run out, but for the newest `keep` of a device. */
    trim(tx: Tx, deviceId: DeviceId, now: number, keep: number): void {
      const isOver = and(
        eq(deliveries.deviceId, deviceId),
        or(ne(deliveries.status, 'queued'), lte(deliveries.expiresAtMs, now)),
      );
      const last = tx
        .select({ sequence: deliveries.sequence })
        .from(deliveries)
        .where(isOver)
        .orderBy(desc(deliveries.sequence))
        .offset(keep)
        .limit(1)
        .get();
      if (last === undefined) return;
      tx.delete(deliveries)
        .where(and(isOver, lte(deliveries.sequence, last.sequence)))
        .run();
    },

    deleteExpired: (tx: Tx, now: number, limit: number): number =>
      deleteExpiredRows(tx, deliveries, deliveries.reapAtMs, now, limit),
  };
}

function toDelivery(row: typeof deliveries.$inferSelect): Delivery {
  return {
    sequence: row.sequence,
    id: row.id as DeliveryId,
    deviceId: row.deviceId as DeviceId,
    body: row.body,
    status: row.status,
    createdBy: row.createdBy as UserId,
    createdAt: row.createdAtMs,
    expiresAt: row.expiresAtMs,
    handedOutAt: row.handedOutAtMs ?? undefined,
    settledAt: row.settledAtMs ?? undefined,
    outcome: row.outcome ?? undefined,
    note: row.note ?? undefined,
  };
}
