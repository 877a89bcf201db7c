import type { AuditRecorder } from '../audit/recorder.ts';
import type { Config } from '../config/schema.ts';
import type { Db } from '../db/open.ts';
import type { Clock } from '../lib/clock.ts';
import type { KeyRing } from '../lib/key-ring.ts';
import type { Metrics } from '../lib/metrics.ts';
import type { Ledger } from '../sessions/ledger.ts';
import type { ReapTask } from '../sessions/reaper.ts';
import { tunnelUrl } from './addresses.ts';
import { admission } from './admission.ts';
import { deliveries } from './deliveries.ts';
import { devices } from './devices.ts';
import { deviceDirectory, sharedDirectory } from './directory.ts';
import { deviceKeys } from './keys.ts';
import { deviceCounts } from './metrics.ts';
import type { DeviceId } from './model.ts';
import { openJoins } from './open-joins.ts';
import { pairings } from './pairings.ts';
import { redeem } from './redeem.ts';
import { type RedeemLimitsDeps, redeemLimits } from './redeem-limits.ts';
import { seenDevices } from './seen.ts';
import { deviceStore } from './store.ts';
import { deliveryStore } from './store-deliveries.ts';
import { pairingStore } from './store-pairings.ts';

export interface OpenDevicesDeps extends Omit<RedeemLimitsDeps, 'config'> {
  config: Config['devices'];
  /** The origin of `url`. */
  origin: string;
  db: Db;
  ring: KeyRing;
  /** Judges by the time mark (`markedClock`). */
  clock: Clock;
  ledger: Ledger;
  audit: AuditRecorder;
  metrics: Metrics;
  /** Whether the tunnel of this device is open. */
  isConnected: (id: DeviceId) => boolean | undefined;
  /** Whether other processes change devices too. */
  isShared?: boolean;
}

export type OpenDevices = ReturnType<typeof openDevices>;

/** Puts pairing and devices together; see DESIGN.md section 7 for what they promise. */
export function openDevices({ config, origin, ...deps }: OpenDevicesDeps) {
  const { db, ring, clock, ledger, audit, limiter, addressKey } = deps;
  const store = deviceStore(db);
  const codes = pairingStore(db);
  const counts = deviceCounts(deps.metrics, () => store.count(db.reader));
  const directory = (deps.isShared === true ? sharedDirectory : deviceDirectory)(store);
  const admitting = admission({ store, ledger, audit, clock, maxPerUser: config.per_user });
  const shared = { db, ledger, audit, clock, origin };

  const paired = devices({ ...shared, store, pairings: codes, directory, counts });

  return {
    tunnelUrl: tunnelUrl(config.relay_url ?? origin),
    devices: paired,
    deliveries: deliveries({
      ...shared,
      store: deliveryStore(db),
      devices: paired,
      metrics: deps.metrics,
      config,
    }),
    keys: deviceKeys({ ...shared, store, directory, counts }),
    admission: admitting,
    pairings: pairings({
      ...shared,
      ring,
      store: codes,
      count: counts.pairing,
      lifetimeMs: config.pairing_lifetime,
      maxPerUser: config.pairings_per_user,
    }),
    redeem: redeem({
      ...shared,
      ring,
      store: codes,
      devices: store,
      admission: admitting,
      limits: redeemLimits({ limiter, addressKey, config }),
      count: counts.pairing,
      repeatMs: config.pairing_lifetime,
    }),
    joins: openJoins({
      ...shared,
      config,
      ring,
      devices: store,
      admission: admitting,
      limiter,
      addressKey,
      count: counts.join,
    }),
    seen: seenDevices({ ledger, isConnected: deps.isConnected }),
    reapTask: {
      name: 'pairings',
      deleteExpired: (tx, now, limit) => codes.deleteExpired(tx, now, limit),
    } satisfies ReapTask,
  };
}
