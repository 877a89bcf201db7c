import { chmodSync, existsSync, linkSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { CommandError } from '../lib/command-error.ts';
import type { Logger } from '../lib/log.ts';
import { secretFault } from './faults.ts';
import { writePrivately } from './private-file.ts';
import { requireText } from './read-text.ts';

/** The file of the data directory that holds the appliance's secret when the configuration does not. */
export const SECRET_FILE = 'secret';
/** The file of those before it, newest first, one on each line. */
export const PREVIOUS_SECRETS_FILE = 'previous-secrets';
const TEMPORARY = /^(?:previous-secrets|secret)\.[\w-]+\.tmp$/;
const OWNER_ONLY = 0o600;

/** The secret of a data directory. @throws CommandError when it cannot be read, or is none. */
export function readSecret(dataDir: string): string {
  const path = join(dataDir, SECRET_FILE);
  const text = requireText(path).replace(/\r?\n$/, '');
  requireSound(text, path);
  return text;
}

/** Those before it, newest first. @throws CommandError when they cannot be read, or one is none. */
export function readPreviousSecrets(dataDir: string): string[] {
  const path = join(dataDir, PREVIOUS_SECRETS_FILE);
  if (!existsSync(path)) return [];
  const secrets = requireText(path)
    .split(/\r?\n/)
    .filter((line) => line !== '');
  for (const secret of secrets) requireSound(secret, path);
  return secrets;
}

/** Under its name only when it is complete and on disk; whoever comes second finds it there. */
export function makeSecret(dataDir: string, secret: string): void {
  writePrivately(join(dataDir, SECRET_FILE), `${secret}\n`, publish);
}

/** Puts lines in the place of a file, complete and on disk before they have its name. */
export function replaceSecrets(
  dataDir: string,
  name: typeof SECRET_FILE | typeof PREVIOUS_SECRETS_FILE,
  lines: readonly string[],
): void {
  writePrivately(join(dataDir, name), lines.map((line) => `${line}\n`).join(''));
}

/** A link does not replace what is there. File systems without links get a rename: the data directory is held alone. */
function publish(temporary: string, path: string): void {
  try {
    linkSync(temporary, path);
  } catch {
    if (!existsSync(path)) renameSync(temporary, path);
  }
}

function requireSound(secret: string, path: string): void {
  const fault = secretFault(secret);
  if (fault === undefined) return;
  throw new CommandError(
    `${path} does not hold ${fault}; put it back from a backup, or remove it to begin anew`,
  );
}

/** Removes what a process that died in the middle left behind. */
export function sweepSecrets(dataDir: string): void {
  for (const name of readdirSync(dataDir))
    if (TEMPORARY.test(name)) rmSync(join(dataDir, name), { force: true });
}

/** A copy from elsewhere may have come with a wider mode. */
export function restrictSecrets(path: string, log: Pick<Logger, 'warn'>): void {
  if (!existsSync(path) || (statSync(path).mode & 0o077) === 0) return;
  try {
    chmodSync(path, OWNER_ONLY);
    log.warn('others could read the secret; its mode is 0600 now', { file: path });
  } catch {
    log.warn('others can read the secret, and its mode cannot be changed', { file: path });
  }
}
