import type { DevicesConfig } from '../config/schema.ts';
import type { Db } from '../db/open.ts';
import type { Metrics } from '../lib/metrics.ts';
import { type DeviceGuardDeps, deviceAccess, deviceGuard } from './guard-signed.ts';
import { signatureMetrics } from './metrics-signatures.ts';
import { nonceMemory } from './nonces.ts';
import { type SharedNoncesDeps, sharedNonces } from './shared-nonces.ts';
import { signatureMarks } from './signature-marks.ts';
import { signatureMarkStore } from './store-signature-marks.ts';

export interface OpenDeviceGuardDeps
  extends Omit<DeviceGuardDeps, 'nonces' | 'marks' | 'metrics' | 'window'> {
  config: Pick<DevicesConfig, 'signature_max_age' | 'signature_max_ahead' | 'nonce_memory'>;
  db: Db;
  metrics: Metrics;
  /** Where all processes remember nonces. */
  shared?: Pick<SharedNoncesDeps, 'store' | 'life' | 'isStrict'> | undefined;
}

/** Puts together what recognises devices. Open it once: what it remembers is what keeps a request from being used twice. */
export function openDeviceGuard({ config, db, metrics, shared, ...deps }: OpenDeviceGuardDeps) {
  const { clock } = deps;
  const marks = signatureMarks({ db, clock, store: signatureMarkStore(db) });
  const keptMs = config.nonce_memory;
  const memory = nonceMemory({ clock, floorOf: marks.floorOf, keptMs });
  metrics.gauge('postern_device_nonces', 'Nonces of signed requests that are remembered.', () => memory.size);
  const nonces = shared === undefined ? memory : sharedNonces({ ...shared, memory, marks, clock, keptMs });
  const window = { maxAgeMs: config.signature_max_age, maxAheadMs: config.signature_max_ahead };
  const guard = deviceGuard({ ...deps, window, marks, nonces, metrics: signatureMetrics(metrics) });
  return { guard, access: deviceAccess(guard), reapTask: marks.reapTask };
}
