import type { AuditAction, AuditDetail, AuditEntry } from '../audit/model.ts';
import type { AuditRecorder } from '../audit/recorder.ts';
import type { Db } from '../db/open.ts';
import { afterCommit, type Tx } from '../db/write.ts';
import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import type { Ledger } from '../sessions/ledger.ts';
import type { RevokeReason } from '../sessions/model.ts';
import type { Actor, UserId } from '../users/model.ts';
import type { DeviceDirectory } from './directory.ts';
import type { DeviceCounts } from './metrics.ts';
import { type Device, type DeviceId, type DeviceLabels, type DeviceReport, isDeviceId } from './model.ts';
import type { DevicePatch, DeviceStore } from './store.ts';
import type { PairingStore } from './store-pairings.ts';

export interface DevicesDeps {
  db: Db;
  store: DeviceStore;
  pairings: Pick<PairingStore, 'voidOf' | 'voidOfDevices'>;
  directory: DeviceDirectory;
  ledger: Pick<Ledger, 'end' | 'renameDevice' | 'requireLive' | 'whenEnding'>;
  audit: AuditRecorder;
  clock: Clock;
  counts: Pick<DeviceCounts, 'unpaired'>;
}

/** Ends what hangs on devices that are unpaired, in the transaction that does it. */
export type WhenUnpairing = (tx: Tx, devices: readonly Device[], reason: RevokeReason) => void;

export type Devices = ReturnType<typeof devices>;

/** What happens to devices while they are paired, and their end. */
export function devices(deps: DevicesDeps) {
  const { db, store, pairings, directory, ledger, audit, clock, counts } = deps;
  const hooks: WhenUnpairing[] = [];

  const entry = (
    action: AuditAction,
    { id, userId, sessionId }: Device,
    by: Actor,
    detail: AuditDetail,
  ): AuditEntry => ({
    at: clock.now(),
    action,
    outcome: 'success',
    actorUserId: by.userId,
    subjectUserId: userId,
    sessionId,
    address: by.address,
    userAgent: by.userAgent,
    detail: { device: id, ...detail },
  });

  // A device is out whenever its session is, whatever ended that.
  ledger.whenEnding((tx, ended, reason) => {
    pairings.voidOf(tx, ended);
    const unpaired = store.unpairOf(tx, ended, clock.now(), reason);
    if (unpaired.length === 0) return;
    pairings.voidOfDevices(
      tx,
      unpaired.map(({ id }) => id),
    );
    for (const hook of hooks) hook(tx, unpaired, reason);
    for (const device of unpaired) directory.changed(tx, device);
    audit.recordAll(
      tx,
      unpaired.map((device) => entry('device.unpaired', device, {}, { reason })),
    );
    afterCommit(tx, () => counts.unpaired(unpaired.length));
  });

  /** `undefined`: it was unpaired meanwhile. */
  const change = (tx: Tx, device: Device, patch: DevicePatch): Device | undefined => {
    if (store.read(tx, device.id) === undefined) return undefined;
    store.update(tx, device.id, patch);
    directory.changed(tx, device);
    return store.read(tx, device.id);
  };

  return {
    find: (id: DeviceId) => directory.find(id),
    findByHandle: (handle: string) => directory.findByHandle(handle),
    /** Whether the device is still paired in this transaction, which may hold its end. */
    isPaired: (tx: Tx, { id }: Pick<Device, 'id'>): boolean => store.read(tx, id) !== undefined,
    /** A live device of this person, by id or handle. @throws AppError `not_found`. */
    requireOf({ id }: { readonly id: UserId }, text: string): Device {
      const device = isDeviceId(text) ? directory.find(text) : directory.findByHandle(text);
      if (device?.userId !== id) throw new AppError('not_found', 'not_found', 'There is no such device.');
      return device;
    },
    /** Live devices of a person, or of everybody, by name. */
    list: (userId?: UserId): Device[] => store.list(userId),

    /** Renames or relabels; the handle stays. `undefined`: it was unpaired meanwhile. */
    update(
      device: Device,
      patch: { name?: string; labels?: DeviceLabels },
      by: Actor,
    ): Promise<Device | undefined> {
      return db.write((tx) => {
        const changed = change(tx, device, patch);
        if (changed === undefined) return undefined;
        if (patch.name !== undefined) ledger.renameDevice(tx, device.sessionId, patch.name);
        audit.record(tx, entry('device.changed', device, by, { fields: Object.keys(patch).join(' ') }));
        return changed;
      });
    },

    /** What the device says of itself. */
    report(device: Device, report: Omit<DeviceReport, 'at'>): Promise<Device | undefined> {
      return db.write((tx) => change(tx, device, { report: { ...report, at: clock.now() } }));
    },

    /**
     * Ends the device: its session, token, tunnel, codes, deliveries and guests, in one transaction. `false`: it had ended.
     * @throws AppError `unavailable` when the store cannot take it; this process refuses the device all the same.
     */
    unpair(device: Device, by: Actor, reason: RevokeReason = 'unpaired'): Promise<boolean> {
      return ledger.end(device.sessionId, { reason, actorUserId: by.userId, address: by.address });
    },

    /** Called by what hangs on devices, at start. */
    whenUnpairing: (hook: WhenUnpairing) => void hooks.push(hook),
  };
}
