import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { CommandError } from '../lib/command-error.ts';
import { type ChangingKeyRing, keyRing } from '../lib/key-ring.ts';
import type { Logger } from '../lib/log.ts';
import { newSecret } from '../lib/random.ts';
import type { Config } from './schema.ts';
import {
  makeSecret,
  PREVIOUS_SECRETS_FILE,
  readPreviousSecrets,
  readSecret,
  replaceSecrets,
  restrictSecrets,
  SECRET_FILE,
  sweepSecrets,
} from './secret-files.ts';

export interface SecretsDeps {
  config: Pick<Config, 'data_dir' | 'secret' | 'previous_secrets'>;
  log: Pick<Logger, 'info' | 'warn'>;
}

/**
 * The appliance's keys: of the configured secret, otherwise of `<data-dir>/secret`, which is made once (mode 0600, on disk
 * before anybody uses it). A configured secret leaves that file alone. The same text gives the same keys in either place.
 * @throws CommandError when the file cannot be read, made or used, or two secrets do not go together.
 */
export function loadKeyRing({ config, log }: SecretsDeps): ChangingKeyRing {
  const { data_dir, secret, previous_secrets } = config;
  if (secret !== undefined) return ringOf([secret, ...previous_secrets]);
  const previous = [...readPreviousSecrets(data_dir), ...previous_secrets];
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
  const old = [readSecret(data_dir), ...readPreviousSecrets(data_dir)];
  if (old.length > MAX_PREVIOUS) throw tooManyPrevious(data_dir);
  const all = [...old, ...previous_secrets];
  const fresh = freshSecret([...new Set(all)].map(bytesOf));
  try {
    replaceSecrets(data_dir, PREVIOUS_SECRETS_FILE, [...new Set(old)]);
    replaceSecrets(data_dir, SECRET_FILE, [fresh]);
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

function keptSecret(dataDir: string, previous: readonly Uint8Array[], log: SecretsDeps['log']): string {
  const path = join(dataDir, SECRET_FILE);
  try {
    if (!existsSync(path)) {
      makeSecret(dataDir, freshSecret(previous));
      log.info('made the secret that all keys come from; it belongs into every backup', { file: path });
    }
    sweepSecrets(dataDir);
    for (const name of [SECRET_FILE, PREVIOUS_SECRETS_FILE]) restrictSecrets(join(dataDir, name), log);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new CommandError(`${path} cannot be made or used (${code})`, 1, { cause: error });
  }
  return readSecret(dataDir);
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
