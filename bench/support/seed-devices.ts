import { configSchema } from '../../src/config/schema.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createLogger } from '../../src/lib/log.ts';
import { openServices } from '../../src/services.ts';
import { type DeviceKey, newDeviceKey } from '../../src/signatures/ed25519-key.ts';
import { APPLIANCE_ORIGIN } from './seed.ts';

/** A paired device, with what it signs with. */
export interface SeededDevice {
  key: DeviceKey;
  sessionId: string;
}

/** Fills a new data directory with devices of one person, the way the appliance lets them in. */
export async function seedDevices(dataDir: string, count: number): Promise<SeededDevice[]> {
  const config = configSchema.parse({ url: APPLIANCE_ORIGIN, data_dir: dataDir });
  const log = createLogger({ level: 'error', format: 'json', clock: systemClock, write: () => undefined });
  await using services = await openServices(config, { clock: systemClock, log });
  const { db, people, devices } = services;
  const user = await db.write((tx) =>
    people.acts.createLocal(tx, { username: 'bench', role: 'owner', by: {} }),
  );
  const pair = (index: number) => {
    const key = newDeviceKey();
    return db.write((tx) => {
      const { device } = devices.admission.admit(tx, {
        userId: user.id,
        issuedBy: undefined,
        publicKey: key.publicKey,
        about: {
          name: `bench ${index}`,
          serial: undefined,
          platform: undefined,
          chip: undefined,
          labels: {},
        },
        from: { address: '127.0.0.1', userAgent: 'bench' },
      });
      return { key, sessionId: device.sessionId };
    });
  };
  return Promise.all(Array.from({ length: count }, (_, index) => pair(index)));
}
