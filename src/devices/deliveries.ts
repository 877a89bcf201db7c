import type { AuditAction, AuditDetail } from '../audit/model.ts';
import type { AuditRecorder } from '../audit/recorder.ts';
import type { DevicesConfig } from '../config/schema.ts';
import type { Db } from '../db/open.ts';
import { afterCommit, type Tx } from '../db/write.ts';
import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import type { Metrics } from '../lib/metrics.ts';
import { newId } from '../lib/random.ts';
import type { Actor, UserId } from '../users/model.ts';
import type { Devices } from './devices.ts';
import { deliveryCounts } from './metrics-deliveries.ts';
import type { Device, DeviceId } from './model.ts';
import type { Delivery, DeliveryId, DeliveryReceipt, DeliveryStore } from './store-deliveries.ts';

export interface DeliveriesDeps {
  db: Db;
  store: DeliveryStore;
  devices: Pick<Devices, 'find' | 'isPaired' | 'whenUnpairing'>;
  audit: AuditRecorder;
  metrics: Metrics;
  clock: Clock;
  config: Pick<
    DevicesConfig,
    | 'deliveries_per_device'
    | 'delivery_max_bytes'
    | 'delivery_lifetime'
    | 'delivery_max_lifetime'
    | 'delivery_retention'
  >;
}

export interface NewMessage {
  /** Any value that JSON can hold. */
  body: unknown;
  /** Milliseconds; absent: as long as configured. */
  lifetimeMs: number | undefined;
}

/** Deliveries that a device gets in one answer. */
const HANDED_OUT_AT_ONCE = 32;
/** Deliveries that a list shows, and settled ones that are kept of a device. */
const LISTED = 200;
/** How deep a message may be: who reads it may be a small board. */
const MAX_DEPTH = 32;

export type Deliveries = ReturnType<typeof deliveries>;

/** Small messages that wait for a device until it asks: in order, and each until the device has said what became of it. */
export function deliveries({ db, store, devices, audit, metrics, clock, config }: DeliveriesDeps) {
  const counts = deliveryCounts(metrics, () => store.countAllWaiting(clock.now()));
  const hooks: ((id: DeviceId) => void)[] = [];
  const maxLifetimeMs = config.delivery_max_lifetime;
  const defaultLifetimeMs = Math.min(config.delivery_lifetime, maxLifetimeMs);

  devices.whenUnpairing((tx, unpaired) => {
    const ids = unpaired.map(({ id }) => id);
    const cancelled = store.cancelOf(tx, ids, clock.now());
    afterCommit(tx, () => counts.cancelled(cancelled));
  });

  const record = (tx: Tx, action: AuditAction, device: Device, by: Actor, detail: AuditDetail) =>
    audit.record(tx, {
      at: clock.now(),
      action,
      outcome: 'success',
      actorUserId: by.userId,
      subjectUserId: device.userId,
      sessionId: device.sessionId,
      address: by.address,
      userAgent: by.userAgent,
      detail: { device: device.id, ...detail },
    });

  const encode = (body: unknown): string => {
    const text = isShallow(body, MAX_DEPTH) ? JSON.stringify(body) : undefined;
    if (text === undefined || Buffer.byteLength(text) > config.delivery_max_bytes) throw tooLarge(config);
    return text;
  };

  const requireLifetime = (lifetimeMs: number): number => {
    if (lifetimeMs <= maxLifetimeMs) return lifetimeMs;
    throw new AppError(
      'unprocessable',
      'lifetime_too_long',
      `A delivery waits at most ${Math.floor(maxLifetimeMs / 1_000)} seconds.`,
    );
  };

  const settling = () => {
    const now = clock.now();
    return { now, reapAt: now + config.delivery_retention };
  };

  return {
    /**
     * @throws AppError `payload_too_large` (`delivery_too_large`), `unprocessable` (`lifetime_too_long`, `too_many_deliveries`),
     * `not_found` when the device was unpaired meanwhile.
     */
    async queue(
      device: Device,
      { body, lifetimeMs }: NewMessage,
      by: Actor & { userId: UserId },
    ): Promise<Delivery> {
      const text = encode(body);
      const lifetime = requireLifetime(lifetimeMs ?? defaultLifetimeMs);
      return db.write((tx) => {
        const now = clock.now();
        if (!devices.isPaired(tx, device)) throw noSuchDevice();
        store.trim(tx, device.id, now, LISTED);
        if (store.countWaiting(tx, device.id, now) >= config.deliveries_per_device) throw tooMany(config);
        const delivery = store.insert(tx, {
          id: newId('dlv') as DeliveryId,
          deviceId: device.id,
          body: text,
          createdBy: by.userId,
          createdAt: now,
          expiresAt: now + lifetime,
          reapAt: now + lifetime + config.delivery_retention,
        });
        record(tx, 'delivery.queued', device, by, { delivery: delivery.id });
        afterCommit(tx, () => {
          counts.queued();
          for (const hook of hooks) hook(device.id);
        });
        return delivery;
      });
    },

    /** The time by which it is judged what has run out. */
    now: () => clock.now(),

    /** The newest, whatever became of them. */
    list: (device: Device): Delivery[] => store.list(device.id, LISTED),

    /** `false`: nothing of that name waits. */
    cancel(device: Device, id: DeliveryId, by: Actor): Promise<boolean> {
      return db.write((tx) => {
        if (!store.cancel(tx, { deviceId: device.id, id }, settling())) return false;
        record(tx, 'delivery.cancelled', device, by, { delivery: id });
        afterCommit(tx, () => counts.cancelled(1));
        return true;
      });
    },

    /**
     * What waits for the device, oldest first; the same again until it has sent a receipt. Asking writes only when there is
     * something new. Nothing for a device that is unpaired meanwhile.
     */
    async take(device: Device): Promise<Delivery[]> {
      const now = clock.now();
      const waiting = store.listWaiting(device.id, now, HANDED_OUT_AT_ONCE);
      const fresh = waiting.filter(({ handedOutAt }) => handedOutAt === undefined).map(({ id }) => id);
      if (fresh.length > 0) await db.write((tx) => store.handOut(tx, fresh, now));
      return devices.find(device.id) === undefined ? [] : waiting;
    },

    /**
     * What became of a delivery, in the words of its device; the same receipt may come again.
     * @throws AppError `not_found`, `conflict` (`delivery_settled`) when it was cancelled, ran out, or has another receipt.
     */
    receive(device: Device, id: DeliveryId, receipt: DeliveryReceipt, by: Actor): Promise<void> {
      return db.write((tx) => {
        if (!store.receive(tx, { deviceId: device.id, id }, receipt, settling())) {
          requireSameReceipt(store.read(tx, device.id, id), receipt);
          return;
        }
        record(tx, 'delivery.received', device, by, { delivery: id, outcome: receipt.outcome });
        afterCommit(tx, () => counts.received(receipt.outcome));
      });
    },

    /** Called, at start, by what can tell a device that something waits for it. */
    whenQueued: (hook: (id: DeviceId) => void) => void hooks.push(hook),

    reapTask: { name: 'deliveries', deleteExpired: store.deleteExpired },
  };
}

function requireSameReceipt(delivery: Delivery | undefined, { outcome, note }: DeliveryReceipt): void {
  if (delivery === undefined) throw new AppError('not_found', 'not_found', 'There is no such delivery.');
  if (delivery.status === 'received' && delivery.outcome === outcome && delivery.note === note) return;
  throw new AppError('conflict', 'delivery_settled', 'This delivery does not wait for a receipt any more.');
}

function isShallow(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return depth > 0 && Object.values(value).every((each) => isShallow(each, depth - 1));
}

const tooLarge = ({ delivery_max_bytes }: DeliveriesDeps['config']) =>
  new AppError(
    'payload_too_large',
    'delivery_too_large',
    `A delivery has at most ${delivery_max_bytes} bytes of JSON, at most ${MAX_DEPTH} deep.`,
  );

const tooMany = ({ deliveries_per_device }: DeliveriesDeps['config']) =>
  new AppError(
    'unprocessable',
    'too_many_deliveries',
    `At most ${deliveries_per_device} deliveries wait for one device; cancel some, or let it fetch them.`,
  );

const noSuchDevice = () => new AppError('not_found', 'not_found', 'There is no such device.');
