import type { Paired } from '../../src/devices/model.ts';
import type { OpenDevices } from '../../src/devices/open-devices.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { type DeviceKey, newDeviceKey } from '../../src/signatures/ed25519-key.ts';
import type { UserId } from '../../src/users/model.ts';
import { proofOf } from './pairing.ts';

/** Where the device is paired. */
interface Site {
  readonly devices: Pick<OpenDevices, 'pairings' | 'redeem'>;
  readonly origin: string;
  readonly clock: Clock;
}

interface About {
  name?: string;
  serial?: string;
  labels?: Record<string, string>;
  key?: DeviceKey;
}

/** Pairs a device of a person, with a key of its own unless one is given, without the way over HTTP. */
export async function pairSiteDevice(
  { devices, origin, clock }: Site,
  userId: UserId,
  { name = 'Kitchen', serial, labels = {}, key = newDeviceKey() }: About = {},
): Promise<Paired> {
  const { token } = await devices.pairings.create({ userId, sessionId: undefined });
  const { public_key: publicKey, ...proof } = proofOf(token, key, Math.floor(clock.now() / 1_000), origin);
  const about = { name, serial, platform: 'linux arm64', chip: undefined, labels };
  const from = { address: '192.0.2.9', userAgent: 'test' };
  return devices.redeem({ presented: { token }, proof: { publicKey, ...proof }, about }, from);
}
