import type { Db } from '../db/open.ts';
import { newDeviceKey } from '../signatures/ed25519-key.ts';
import type { UserId } from '../users/model.ts';
import type { Admission } from './admission.ts';
import type { DeviceAbout } from './model.ts';
import type { Pairings } from './pairings.ts';

export interface DemoDevicesDeps {
  db: Db;
  devices: { readonly admission: Admission; readonly pairings: Pairings };
}

const FROM = { address: undefined, userAgent: undefined };

const DEVICES: readonly DeviceAbout[] = [
  {
    name: 'Kitchen display',
    serial: 'demo-1',
    platform: 'linux arm64',
    chip: 'BCM2712',
    labels: { room: 'kitchen', kind: 'display' },
  },
  {
    name: 'Garden camera',
    serial: 'demo-2',
    platform: 'linux arm64',
    chip: undefined,
    labels: { room: 'garden', kind: 'camera' },
  },
];

/**
 * Devices to look at, whose keys nobody keeps, so that they never connect; and the link of a pairing, with which a real one joins.
 */
export async function addDemoDevices({ db, devices }: DemoDevicesDeps, userId: UserId): Promise<string> {
  await db.write((tx) => {
    for (const about of DEVICES) {
      const { publicKey } = newDeviceKey();
      devices.admission.admit(tx, { userId, issuedBy: undefined, publicKey, about, from: FROM });
    }
  });
  const { link } = await devices.pairings.create({ userId, sessionId: undefined });
  return link;
}
