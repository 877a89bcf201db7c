import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeState } from '../../src/agent/state.ts';
import { configSchema } from '../../src/config/schema.ts';
import type { DeviceId } from '../../src/devices/model.ts';
import { TUNNEL_PATH } from '../../src/devices/routes-tunnel.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createLogger } from '../../src/lib/log.ts';
import { openServices } from '../../src/services.ts';
import { reachAudience } from '../../src/sessions/audience.ts';
import { type DeviceKey, newDeviceKey } from '../../src/signatures/ed25519-key.ts';
import type { DevicePublicKey } from '../../src/signatures/model.ts';

/** A paired device that nobody serves yet. */
export interface IdleDevice {
  id: DeviceId;
  sessionId: string;
  key: DeviceKey;
}

export interface SeededTunnels {
  /** Of a person's browser, to whom all devices belong. */
  cookie: string;
  /** Of the same person, for the one service of the first device. */
  bearer: string;
  /** The service, below the appliance's origin. */
  path: string;
  /** Devices besides the first one. */
  idle: IdleDevice[];
}

const SERVICE = 'web';
const NOWHERE = { provider: undefined, providerSid: undefined, address: '127.0.0.1', userAgent: 'bench' };
const DAY_MS = 86_400_000;

/**
 * Fills a new data directory with one person's devices, the way the appliance lets them in, and `agentDirectory` with
 * what the agent of the first one keeps; its service is `target`.
 */
export async function seedTunnels(options: {
  url: string;
  dataDir: string;
  agentDirectory: string;
  target: string;
  idle: number;
}): Promise<SeededTunnels> {
  const { url, dataDir, agentDirectory, target, idle } = options;
  const config = configSchema.parse({
    url,
    data_dir: dataDir,
    devices: { per_user: idle + 1 },
  });
  const log = createLogger({ level: 'error', format: 'json', clock: systemClock, write: () => undefined });
  await using services = await openServices(config, { clock: systemClock, log });
  const { db, ledger, people, devices } = services;
  const user = await db.write((tx) =>
    people.acts.createLocal(tx, { username: 'bench', role: 'owner', by: {} }),
  );
  const browser = await db.write((tx) => ledger.openBrowserSession(tx, { userId: user.id, origin: NOWHERE }));
  const admit = (name: string, publicKey: DevicePublicKey) =>
    db.write((tx) =>
      devices.admission.admit(tx, {
        userId: user.id,
        issuedBy: browser.session.id,
        publicKey,
        about: { name, serial: undefined, platform: undefined, chip: undefined, labels: {} },
        from: { address: '127.0.0.1', userAgent: 'bench' },
      }),
    );

  mkdirSync(agentDirectory, { recursive: true, mode: 0o700 });
  const state = makeState(agentDirectory);
  const { device, token } = await admit('served', state.key().publicKey);
  state.writePairing({
    server: url,
    deviceId: device.id,
    handle: device.handle,
    name: device.name,
    sessionId: device.sessionId,
    sessionToken: token,
    tunnelUrl: `${url.replace(/^http/, 'ws')}${TUNNEL_PATH}`,
    pairedAt: Date.now(),
    ended: undefined,
  });
  writeFileSync(join(agentDirectory, 'agent.toml'), `[services]\n${SERVICE} = ${JSON.stringify(target)}\n`);
  const personal = await db.write((tx) =>
    ledger.openPersonalToken(tx, {
      issuedBy: browser.session.id,
      label: 'bench',
      audience: [reachAudience(device.id, SERVICE)],
      expiresAt: Date.now() + DAY_MS,
      origin: NOWHERE,
    }),
  );
  const others = Array.from({ length: idle }, async (_, index): Promise<IdleDevice> => {
    const key = newDeviceKey();
    const { device } = await admit(`idle ${index}`, key.publicKey);
    return { id: device.id, sessionId: device.sessionId, key };
  });
  return {
    cookie: browser.token,
    bearer: personal.token,
    path: `/d/${device.handle}/${SERVICE}`,
    idle: await Promise.all(others),
  };
}
