import type { DevicesConfig } from '../config/schema.ts';
import type { Db } from '../db/open.ts';
import type { Metrics } from '../lib/metrics.ts';
import { type DeviceGuardDeps, deviceAccess, deviceGuard } from './guard-signed.ts';
import { signatureMetrics } from './metrics-signatures.ts';
import { nonceMemory } from './nonces.ts';
import { signatureMarks } from './signature-marks.ts';
import { signatureMarkStore } from './store-signature-marks.ts';

export interface OpenDeviceGuardDeps
  extends Omit<DeviceGuardDeps, 'nonces' | 'marks' | 'metrics' | 'window'> {
  config: Pick<DevicesConfig, 'signature_max_age' | 'signature_max_ahead' | 'nonce_memory'>;
  db: Db;
  metrics: Metrics;
}

/** Puts together what recognises devices. Open it once: what it remembers is what keeps a request from being used twice. */
export function openDeviceGuard({ config, db, metrics, ...deps }: OpenDeviceGuardDeps) {
  const { clock } = deps;
  const marks = signatureMarks({ db, clock, store: signatureMarkStore(db) });
  const nonces = nonceMemory({ clock, floorOf: marks.floorOf, keptMs: config.nonce_memory });
  metrics.gauge('postern_device_nonces', 'Nonces of signed requests that are remembered.', () => nonces.size);
  const window = { maxAgeMs: config.signature_max_age, maxAheadMs: config.signature_max_ahead };
  const guard = deviceGuard({ ...deps, window, marks, nonces, metrics: signatureMetrics(metrics) });
  return { guard, access: deviceAccess(guard), reapTask: marks.reapTask };
}
