import {
  chmodSync,
  closeSync,
  fsyncSync,
  linkSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { CommandError } from '../lib/command-error.ts';
import { type ChangingKeyRing, keyRing } from '../lib/key-ring.ts';
import type { Logger } from '../lib/log.ts';
import { newSecret } from '../lib/random.ts';
import { syncDirectory } from './data-directory.ts';
import { secretFault } from './faults.ts';
import { readText } from './read-text.ts';
import type { Config } from './schema.ts';

export interface SecretsDeps {
  config: Pick<Config, 'data_dir' | 'secret' | 'previous_secrets'>;
  log: Pick<Logger, 'info' | 'warn'>;
}

/** The file of the data directory that holds the appliance's secret when the configuration does not. */
export const SECRET_FILE = 'secret';
/** The file of those before it, newest first, one on each line. */
export const PREVIOUS_SECRETS_FILE = 'previous-secrets';
const TEMPORARY = /^(?:previous-secrets|secret)\.[\w-]+\.tmp$/;
const OWNER_ONLY = 0o600;

/**
 * The appliance's keys: of the configured secret, otherwise of `<data-dir>/secret`, which is made once (mode 0600, on disk
 * before anybody uses it). A configured secret leaves that file alone. The same text gives the same keys in either place.
 * @throws CommandError when the file cannot be read, made or used, or two secrets do not go together.
 */
export function loadKeyRing({ config, log }: SecretsDeps): ChangingKeyRing {
  const { data_dir, secret, previous_secrets } = config;
  if (secret !== undefined) return ringOf([secret, ...previous_secrets]);
  const previous = [...keptPrevious(data_dir), ...previous_secrets];
  return ringOf([keptSecret(data_dir, previous.map(bytesOf), log), ...previous]);
}

/** Secrets that one may have besides the current one: each is tried on what does not open. */
const MAX_PREVIOUS = 32;

/**
 * Puts a new secret in the place of the kept one, which goes in front of those before it, and changes the ring with them.
 * The old one is safe on disk before the new one takes its place: a process that dies in between goes on with it.
 * @throws CommandError when the configuration holds the secret, there are too many, or a file cannot be written.
 */
export function rotateKeptSecret(
  ring: ChangingKeyRing,
  { data_dir, secret, previous_secrets }: SecretsDeps['config'],
): void {
  if (secret !== undefined) throw secretIsConfigured();
  const old = [read(join(data_dir, SECRET_FILE)), ...keptPrevious(data_dir)];
  if (old.length > MAX_PREVIOUS) throw tooManyPrevious(data_dir);
  const all = [...old, ...previous_secrets];
  const fresh = freshSecret([...new Set(all)].map(bytesOf));
  try {
    replace(data_dir, PREVIOUS_SECRETS_FILE, [...new Set(old)]);
    replace(data_dir, SECRET_FILE, [fresh]);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new CommandError(`a new secret cannot be written to ${data_dir} (${code})`, 1, { cause: error });
  }
  changeRing(ring, [fresh, ...all]);
}

const secretIsConfigured = () =>
  new CommandError(
    'the configuration holds the secret: put a new one there and the old one first into previous_secrets, start again, then run `postern keys reseal`',
  );

const tooManyPrevious = (dataDir: string) =>
  new CommandError(
    `${join(dataDir, PREVIOUS_SECRETS_FILE)} holds ${MAX_PREVIOUS} secrets already; remove the last lines, whose sessions and links end with them`,
  );

function keptPrevious(dataDir: string): string[] {
  const path = join(dataDir, PREVIOUS_SECRETS_FILE);
  if (statSync(path, { throwIfNoEntry: false }) === undefined) return [];
  const secrets = readLines(path);
  for (const secret of secrets) requireSound(secret, path);
  return secrets;
}

/** Complete and on disk before it has its name. */
function replace(dataDir: string, name: string, lines: readonly string[]): void {
  const temporary = join(dataDir, `${name}.${crypto.randomUUID()}.tmp`);
  try {
    write(temporary, lines.map((line) => `${line}\n`).join(''));
    renameSync(temporary, join(dataDir, name));
  } finally {
    rmSync(temporary, { force: true });
  }
  syncDirectory(dataDir);
}

function keptSecret(dataDir: string, previous: readonly Uint8Array[], log: SecretsDeps['log']): string {
  const path = join(dataDir, SECRET_FILE);
  try {
    if (statSync(path, { throwIfNoEntry: false }) === undefined) {
      make(dataDir, path, previous);
      log.info('made the secret that all keys come from; it belongs into every backup', { file: path });
    }
    sweep(dataDir);
    restrict(path, log);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new CommandError(`${path} cannot be made or used (${code})`, 1, { cause: error });
  }
  return read(path);
}

function read(path: string): string {
  const text = readWhole(path).replace(/\r?\n$/, '');
  requireSound(text, path);
  return text;
}

function readLines(path: string): string[] {
  return readWhole(path)
    .split(/\r?\n/)
    .filter((line) => line !== '');
}

function readWhole(path: string): string {
  try {
    return readText(path);
  } catch (error) {
    throw new CommandError(
      `${path} cannot be read: ${error instanceof Error ? error.message : 'unknown error'}`,
    );
  }
}

function requireSound(secret: string, path: string): void {
  const fault = secretFault(secret);
  if (fault === undefined) return;
  throw new CommandError(
    `${path} does not hold ${fault}; put it back from a backup, or remove it to begin anew`,
  );
}

/** Under its name only when it is complete and on disk; whoever comes second finds it there. */
function make(dataDir: string, path: string, previous: readonly Uint8Array[]): void {
  const temporary = join(dataDir, `${SECRET_FILE}.${crypto.randomUUID()}.tmp`);
  try {
    write(temporary, `${freshSecret(previous)}\n`);
    publish(temporary, path);
  } finally {
    rmSync(temporary, { force: true });
  }
  syncDirectory(dataDir);
}

function write(path: string, text: string): void {
  const file = openSync(path, 'wx', OWNER_ONLY);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** A link does not replace what is there. File systems without links get a rename: the data directory is held alone. */
function publish(temporary: string, path: string): void {
  try {
    linkSync(temporary, path);
  } catch {
    const another = statSync(path, { throwIfNoEntry: false });
    if (another === undefined) renameSync(temporary, path);
  }
}

/** Draws before giving up; fewer than one in a hundred thousand needs a third. */
const MAX_DRAWS = 32;

/** A key id is one byte; one time in 256 a draw has that of a previous secret. */
function freshSecret(previous: readonly Uint8Array[]): string {
  const draws = Array.from({ length: MAX_DRAWS }, newSecret);
  return draws.find((secret) => areApart([bytesOf(secret), ...previous])) ?? newSecret();
}

function areApart(secrets: readonly [Uint8Array, ...Uint8Array[]]): boolean {
  try {
    keyRing(secrets);
    return true;
  } catch {
    return false;
  }
}

/** Removes what a process that died in the middle left behind. */
function sweep(dataDir: string): void {
  for (const name of readdirSync(dataDir))
    if (TEMPORARY.test(name)) rmSync(join(dataDir, name), { force: true });
}

/** A copy from elsewhere may have come with a wider mode. */
function restrict(path: string, log: Pick<Logger, 'warn'>): void {
  if ((statSync(path).mode & 0o077) === 0) return;
  try {
    chmodSync(path, OWNER_ONLY);
    log.warn('others could read the secret; its mode is 0600 now', { file: path });
  } catch {
    log.warn('others can read the secret, and its mode cannot be changed', { file: path });
  }
}

/** A secret may stand twice: what a process that died in the middle left, or one that the configuration names too. */
function distinct([current, ...previous]: readonly [string, ...string[]]): [Uint8Array, ...Uint8Array[]] {
  return [bytesOf(current), ...[...new Set(previous)].filter((each) => each !== current).map(bytesOf)];
}

function ringOf(secrets: readonly [string, ...string[]]): ChangingKeyRing {
  try {
    return keyRing(distinct(secrets));
  } catch {
    throw idsShared();
  }
}

function changeRing(ring: ChangingKeyRing, secrets: readonly [string, ...string[]]): void {
  try {
    ring.change(distinct(secrets));
  } catch {
    throw idsShared();
  }
}

const idsShared = () =>
  new CommandError(
    'secret, previous_secrets: two of the secrets share a key id, by chance; make a new one in the place of either',
    2,
  );

function bytesOf(secret: string): Uint8Array {
  return new TextEncoder().encode(secret);
}
