import { existsSync } from 'node:fs';
import { arch, hostname, platform, release } from 'node:os';
import { readText } from '../config/read-text.ts';
import type { DeviceAbout } from './join.ts';

/** What boards with a device tree are called: "Raspberry Pi 5 Model B Rev 1.0". */
const MODEL_FILE = '/proc/device-tree/model';
/** What the server takes of such facts. */
const MAX_LENGTH = 64;

export interface AboutInput {
  readonly name: string | undefined;
  readonly serial: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
}

/** What this machine is, as far as it can tell without being asked. A serial number is only told when it is given. */
export function aboutThisMachine({ name, serial, labels }: AboutInput, modelFile = MODEL_FILE): DeviceAbout {
  return {
    name: name ?? (hostname().split('.')[0] || 'device'),
    serial,
    platform: `${platform()}-${arch()} ${release()}`.slice(0, MAX_LENGTH),
    chip: readModel(modelFile),
    labels,
  };
}

function readModel(file: string): string | undefined {
  if (!existsSync(file)) return undefined;
  try {
    // It ends in a NUL.
    return readText(file).replaceAll('\0', '').trim().slice(0, MAX_LENGTH) || undefined;
  } catch {
    return undefined;
  }
}
