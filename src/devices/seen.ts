import type { Ledger } from '../sessions/ledger.ts';
import type { Device, DeviceId } from './model.ts';

export interface SeenDevicesDeps {
  ledger: Pick<Ledger, 'lastSeenAt'>;
  /** Whether the tunnel of this device is open; `undefined` where another node has the tunnels. */
  isConnected: (id: DeviceId) => boolean | undefined;
}

/** What is seen of a device, whatever it says of itself. */
export interface SeenDevice {
  /** `undefined` where another node has the tunnels. */
  readonly connected: boolean | undefined;
  /** Epoch milliseconds. */
  readonly lastSeenAt: number;
}

export type SeenDevices = ReturnType<typeof seenDevices>;

export function seenDevices({ ledger, isConnected }: SeenDevicesDeps) {
  const of = (device: Device): SeenDevice => ({
    connected: isConnected(device.id),
    lastSeenAt: ledger.lastSeenAt(device.sessionId) ?? device.pairedAt,
  });
  return {
    of,
    list: (devices: readonly Device[]) => devices.map((device) => [device, of(device)] as const),
  };
}
