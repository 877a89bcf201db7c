import { openDeviceAccess } from '../../src/devices/guard-access.ts';
import { openDeviceGuard } from '../../src/devices/guard-open.ts';
import type { DeviceId } from '../../src/devices/model.ts';
import { openDevices } from '../../src/devices/open-devices.ts';
import { openDeviceHub } from '../../src/devices/open-hub.ts';
import { parseOrigin } from '../../src/http/origin.ts';
import { addressKey, localLimiter } from '../../src/http/rate-limit.ts';
import { keyRing } from '../../src/lib/key-ring.ts';
import { userStore } from '../../src/users/store.ts';
import { TEST_ORIGIN, TEST_SECRET, type TemporaryLedger } from './ledger.ts';
import { recordedLog } from './silent-log.ts';

/** Where hosts of devices are. */
export const TEST_DEVICES_BASE = 'devices.example.test';
/** Where devices dial, besides the host of the appliance. */
export const TEST_RELAY_HOST = 'relay.example.test';

export interface TestDevicesOptions {
  config?: Partial<TemporaryLedger['config']['devices']>;
  isConnected?: (id: DeviceId) => boolean;
  maxBodyBytes?: number;
  origin?: string;
}

/** Pairing and devices over a ledger, with what recognises devices. */
export function testDevices(
  base: TemporaryLedger,
  { config = {}, isConnected, maxBodyBytes = 65_536, origin: url = TEST_ORIGIN }: TestDevicesOptions = {},
) {
  const { clock } = base;
  const origin = parseOrigin(url);
  const hub = openDeviceHub({
    ...base,
    config: { ...base.config.devices, ...config },
    log: recordedLog(),
  });
  const devices = openDevices({
    ...base,
    config: { ...base.config.devices, ...config },
    origin: url,
    ring: keyRing([TEST_SECRET]),
    limiter: (options) => localLimiter(clock, options),
    addressKey,
    isConnected: isConnected ?? ((id) => hub.find(id)?.isOpen === true),
  });
  const deviceGuard = openDeviceGuard({
    ...base,
    config: { ...base.config.devices, ...config },
    origin,
    authorities: [origin.host, TEST_RELAY_HOST],
    maxBodyBytes,
  });
  const deviceReach = openDeviceAccess({
    ...base,
    config: { ...base.config.devices, base: TEST_DEVICES_BASE, ...config },
    origin,
    subjectsOf: () => [],
    directory: devices.devices,
    findUser: (id) => userStore(base.db).find(id),
  });
  return { hub, devices, deviceGuard, deviceReach };
}
