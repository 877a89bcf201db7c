import { chmodSync, existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { syncDirectory } from '../config/data-directory.ts';
import { writePrivately } from '../config/private-file.ts';
import { requireText } from '../config/read-text.ts';
import { CommandError } from '../lib/command-error.ts';
import { type DeviceKey, deviceKey, newDeviceKey } from '../signatures/ed25519-key.ts';
import type { Pairing } from './model.ts';

/** What an agent keeps: a directory of its own, readable by its owner alone. */
export interface AgentState {
  readonly directory: string;
  /** Which services there are, and labels; the owner's file. */
  readonly configFile: string;
  /** The key of this device; made when there is none. @throws CommandError when it cannot be read. */
  key(): DeviceKey;
  /** A new key in the place of the one there is. */
  renewKey(): DeviceKey;
  /** The key that is to take its place, kept until the server has agreed; made when there is none. */
  nextKey(): DeviceKey;
  /** The server has agreed: `nextKey` is the key from now on. */
  takeNextKey(): void;
  /** `undefined`: it never joined. @throws CommandError when it cannot be read. */
  pairing(): Pairing | undefined;
  writePairing(pairing: Pairing): void;
  /** Forgets pairing and key. */
  forget(): void;
}

const KEY_FILE = 'key';
const NEXT_KEY_FILE = 'key.next';
const PAIRING_FILE = 'device.json';
const OTHERS = 0o077;

const pairingSchema = z.strictObject({
  version: z.literal(1),
  server: z.url(),
  device: z.string().min(1),
  handle: z.string().min(1),
  name: z.string(),
  session: z.string().min(1),
  session_token: z.string().min(1),
  tunnel_url: z.url(),
  paired_at: z.iso.datetime(),
  ended: z.strictObject({ at: z.iso.datetime(), code: z.string() }).optional(),
});

/** The state in a directory that has to be there. @throws CommandError when others may read or write in it. */
export function openState(directory: string): AgentState {
  requirePrivate(directory);
  const keyPath = join(directory, KEY_FILE);
  const pairingPath = join(directory, PAIRING_FILE);
  const nextKeyPath = join(directory, NEXT_KEY_FILE);
  const newKey = (path: string) => {
    const key = newDeviceKey();
    writePrivately(path, `${Buffer.from(key.seed).toString('base64url')}\n`);
    return key;
  };
  const keyAt = (path: string) => (existsSync(path) ? readKey(path) : newKey(path));
  return {
    directory,
    configFile: join(directory, 'agent.toml'),
    key: () => keyAt(keyPath),
    renewKey: () => newKey(keyPath),
    nextKey: () => keyAt(nextKeyPath),
    takeNextKey() {
      renameSync(nextKeyPath, keyPath);
      syncDirectory(directory);
    },
    pairing: () => (existsSync(pairingPath) ? readPairing(pairingPath) : undefined),
    writePairing: (pairing) => writePrivately(pairingPath, `${JSON.stringify(fileOf(pairing), null, 2)}\n`),
    forget() {
      for (const path of [pairingPath, keyPath, nextKeyPath]) rmSync(path, { force: true });
    },
  };
}

/** Makes the directory where there is none, and opens it. @throws CommandError */
export function makeState(directory: string): AgentState {
  try {
    mkdirSync(dirname(directory), { recursive: true });
    if (!existsSync(directory)) mkdirSync(directory, { mode: 0o700 });
  } catch (error) {
    const { code = 'unknown error' } = error as NodeJS.ErrnoException;
    throw new CommandError(`${directory} cannot be made (${code})`, 1, { cause: error });
  }
  return openState(directory);
}

/** The key of a device is worth its place in it: a directory that others may look into is shut before it is used. */
function requirePrivate(directory: string): void {
  const found = statSync(directory, { throwIfNoEntry: false });
  if (found === undefined) {
    throw new CommandError(
      `there is no ${directory} yet: this device has not joined (postern agent --join …)`,
    );
  }
  if (!found.isDirectory()) throw new CommandError(`${directory} is not a directory`, 2);
  if ((found.mode & OTHERS) === 0) return;
  try {
    chmodSync(directory, 0o700);
  } catch (error) {
    throw new CommandError(`others may look into ${directory}: chmod 700 ${directory}`, 1, { cause: error });
  }
}

function readKey(path: string): DeviceKey {
  const seed = Buffer.from(requireText(path).trim(), 'base64url');
  try {
    return deviceKey(seed);
  } catch (error) {
    throw new CommandError(`${path} holds no key; remove it, and join again`, 1, { cause: error });
  }
}

function readPairing(path: string): Pairing {
  const parsed = pairingSchema.safeParse(parseJson(requireText(path)));
  if (!parsed.success) throw new CommandError(`${path} is damaged; remove it, and join again`);
  const { data } = parsed;
  return {
    server: data.server,
    deviceId: data.device,
    handle: data.handle,
    name: data.name,
    sessionId: data.session,
    sessionToken: data.session_token,
    tunnelUrl: data.tunnel_url,
    pairedAt: Date.parse(data.paired_at),
    ended: data.ended && { at: Date.parse(data.ended.at), code: data.ended.code },
  };
}

function fileOf(pairing: Pairing): z.input<typeof pairingSchema> {
  const { ended } = pairing;
  return {
    version: 1,
    server: pairing.server,
    device: pairing.deviceId,
    handle: pairing.handle,
    name: pairing.name,
    session: pairing.sessionId,
    session_token: pairing.sessionToken,
    tunnel_url: pairing.tunnelUrl,
    paired_at: new Date(pairing.pairedAt).toISOString(),
    ...(ended && { ended: { at: new Date(ended.at).toISOString(), code: ended.code } }),
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
