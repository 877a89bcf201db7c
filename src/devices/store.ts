import { and, asc, between, count, eq, isNull, ne, or, type SQL, sql } from 'drizzle-orm';
import { readOrOutage } from '../db/errors.ts';
import { isOneOf } from '../db/one-of.ts';
import type { Db } from '../db/open.ts';
import { devices } from '../db/schema/index.ts';
import type { Tx } from '../db/write.ts';
import type { RevokeReason, SessionId } from '../sessions/model.ts';
import type { DevicePublicKey } from '../signatures/model.ts';
import type { UserId } from '../users/model.ts';
import type { Device, DeviceId, DeviceLabels, DeviceReport } from './model.ts';

type DeviceRow = typeof devices.$inferSelect;

/** What of a device may be changed. */
export interface DevicePatch {
  name?: string;
  labels?: DeviceLabels;
  publicKey?: DevicePublicKey;
  report?: DeviceReport;
}

/** A live device that already has what another one wants. */
export type Taken = 'key' | 'serial';

export type DeviceStore = ReturnType<typeof deviceStore>;

const isLive = isNull(devices.unpairedAtMs);

/** Devices in SQLite. Only live ones are found, but where it says otherwise. Absence is `undefined`; only an outage throws. */
export function deviceStore(db: Db) {
  const prepared = (condition: SQL) =>
    db.reader.select().from(devices).where(and(condition, isLive)).prepare();
  const byId = prepared(eq(devices.id, sql.placeholder('id')));
  const byHandle = prepared(eq(devices.handle, sql.placeholder('handle')));
  const one = (read: () => DeviceRow | undefined): Device | undefined => {
    const row = readOrOutage(read);
    return row === undefined ? undefined : toDevice(row);
  };

  return {
    find: (id: DeviceId) => one(() => byId.get({ id })),
    findByHandle: (handle: string) => one(() => byHandle.get({ handle })),

    read(tx: Tx, id: DeviceId): Device | undefined {
      const row = tx
        .select()
        .from(devices)
        .where(and(eq(devices.id, id), isLive))
        .get();
      return row === undefined ? undefined : toDevice(row);
    },

    /** By name. */
    list: (userId?: UserId): Device[] =>
      readOrOutage(() =>
        db.reader
          .select()
          .from(devices)
          .where(and(isLive, userId === undefined ? undefined : eq(devices.userId, userId)))
          .orderBy(asc(devices.name), asc(devices.handle))
          .all(),
      ).map(toDevice),

    count: (source: Tx | Db['reader'], userId?: UserId): number =>
      source
        .select({ count: count() })
        .from(devices)
        .where(and(isLive, userId === undefined ? undefined : eq(devices.userId, userId)))
        .get()?.count ?? 0,

    /** Which of the two a live device, other than this one, has already. */
    taken(tx: Tx, { id, publicKey, serial }: Pick<Device, 'id' | 'publicKey' | 'serial'>): Taken | undefined {
      const isSame = or(
        eq(devices.publicKey, publicKey),
        serial === undefined ? undefined : eq(devices.serial, serial),
      );
      const rows = tx
        .select({ publicKey: devices.publicKey })
        .from(devices)
        .where(and(isSame, isLive, ne(devices.id, id)))
        .all();
      if (rows.length === 0) return undefined;
      return rows.some((row) => row.publicKey === publicKey) ? 'key' : 'serial';
    },

    /**
     * Handles that begin like this and that a device of this person may not have: those of live devices, and those that
     * were somebody else's, whose browsers still hold what they kept at those hosts.
     */
    takenHandles(tx: Tx, prefix: string, userId: UserId): ReadonlySet<string> {
      const rows = tx
        .select({ handle: devices.handle })
        .from(devices)
        .where(and(between(devices.handle, prefix, `${prefix}~`), or(isLive, ne(devices.userId, userId))))
        .all();
      return new Set(rows.map((row) => row.handle));
    },

    insert(tx: Tx, { labels, pairedAt, ...device }: Omit<Device, 'report'>): void {
      tx.insert(devices)
        .values({ ...device, labels: { ...labels }, pairedAtMs: pairedAt })
        .run();
    },

    update(tx: Tx, id: DeviceId, { report, labels, ...patch }: DevicePatch): void {
      const columns = {
        ...patch,
        ...(labels && { labels: { ...labels } }),
        ...(report && {
          reportedAtMs: report.at,
          reportedVersion: report.version ?? null,
          reportedState: report.state === undefined ? null : { ...report.state },
        }),
      };
      tx.update(devices).set(columns).where(eq(devices.id, id)).run();
    },

    /** Takes the devices of these sessions out of use; returns those that were in use until now. */
    unpairOf(tx: Tx, sessions: readonly SessionId[], at: number, reason: RevokeReason): Device[] {
      return tx
        .update(devices)
        .set({ unpairedAtMs: at, unpairReason: reason })
        .where(and(isOneOf(devices.sessionId, sessions), isLive))
        .returning()
        .all()
        .map(toDevice);
    },
  };
}

function toDevice(row: DeviceRow): Device {
  return {
    id: row.id as DeviceId,
    userId: row.userId as UserId,
    sessionId: row.sessionId as SessionId,
    handle: row.handle,
    name: row.name,
    serial: row.serial ?? undefined,
    platform: row.platform ?? undefined,
    chip: row.chip ?? undefined,
    labels: row.labels,
    publicKey: row.publicKey as DevicePublicKey,
    pairedAt: row.pairedAtMs,
    report: toReport(row),
  };
}

function toReport({ reportedAtMs, reportedVersion, reportedState }: DeviceRow): DeviceReport | undefined {
  if (reportedAtMs === null) return undefined;
  return { at: reportedAtMs, version: reportedVersion ?? undefined, state: reportedState ?? undefined };
}
