import type { Db } from '../../src/db/open.ts';
import { type DeviceDirectory, deviceDirectory } from '../../src/devices/directory.ts';
import type { Device, DeviceId, DeviceLabels } from '../../src/devices/model.ts';
import { deviceStore } from '../../src/devices/store.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { newId, newSecret } from '../../src/lib/random.ts';
import type { Ledger } from '../../src/sessions/ledger.ts';
import type { UserId } from '../../src/users/model.ts';

export interface ReachedDevices {
  readonly directory: DeviceDirectory;
  /** A device with a session, as pairing leaves it. */
  add(userId: UserId, handle: string, labels?: DeviceLabels): Promise<Device>;
  /** Takes it out of use. */
  unpair(device: Device): Promise<void>;
}

/** Devices that are there to be reached; how they paired does not matter. */
export function reachedDevices({
  db,
  ledger,
  clock,
}: {
  db: Db;
  ledger: Ledger;
  clock: Clock;
}): ReachedDevices {
  const store = deviceStore(db);
  const directory = deviceDirectory(store);
  return {
    directory,
    async unpair(device) {
      await ledger.writeEnding([{ session: device.sessionId }], (tx) => {
        ledger.endIn(tx, device.sessionId, { reason: 'unpaired' });
        store.unpairOf(tx, [device.sessionId], clock.now(), 'unpaired');
        directory.changed(tx, device);
      });
    },
    add: (userId, handle, labels = {}) =>
      db.write((tx) => {
        const id = newId('dev') as DeviceId;
        const publicKey = newSecret() as Device['publicKey'];
        const { session } = ledger.openDevice(tx, {
          userId,
          issuedBy: undefined,
          deviceId: id,
          clientPublicKey: publicKey,
          label: handle,
          origin: { provider: undefined, providerSid: undefined, address: undefined, userAgent: undefined },
        });
        const device: Device = {
          id,
          userId,
          sessionId: session.id,
          handle,
          name: handle,
          serial: undefined,
          platform: undefined,
          chip: undefined,
          labels,
          publicKey,
          pairedAt: clock.now(),
          report: undefined,
        };
        store.insert(tx, device);
        return device;
      }),
  };
}
