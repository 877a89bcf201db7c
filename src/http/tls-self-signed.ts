import { X509Certificate } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import { startLoop } from '../lib/loop.ts';
import { checkMaterial, type TlsMaterial, type TlsSource } from './tls-source.ts';

export interface SelfSignedOptions {
  dataDir: string;
  /** The host of `url`, without port. */
  hostname: string;
  /** The name that hosts of devices end with, without port. */
  devicesBase?: string | undefined;
  /** The host of `devices.relay_url`, without port. */
  relayHost?: string | undefined;
  clock: Clock;
  log: Logger;
}

/** Certificate and key, one after the other: a single file is replaced at once. */
export const SELF_SIGNED_FILE = 'tls-self-signed.pem';

const OWNER_ONLY = 0o600;
const DAY_MS = 86_400_000;
/** The longest that platforms accept from a certificate of a TLS server (https://support.apple.com/en-us/103769). */
const LIFETIME_MS = 825 * DAY_MS;
/** Clocks of clients that are behind still accept it. */
const BACKDATED_MS = DAY_MS;
const RENEW_BEFORE_MS = 30 * DAY_MS;
const LOOK_EVERY_MS = 3_600_000;

/**
 * A certificate that nobody vouches for, kept in the data directory so that who has once compared its fingerprint need
 * not do so again. It is made anew shortly before it ends, and when a name is not in it.
 * @throws when the data directory cannot be written.
 */
export async function selfSignedTls({
  dataDir,
  hostname,
  devicesBase,
  relayHost,
  clock,
  log,
}: SelfSignedOptions): Promise<TlsSource> {
  const path = join(dataDir, SELF_SIGNED_FILE);
  const names = [
    ...new Set([hostname, relayHost ?? hostname].map((name) => name.replaceAll(/^\[|\]$/g, ''))),
    ...(devicesBase === undefined ? [] : [`*.${devicesBase}`]),
  ];
  const kept = readKept(path);
  let current =
    kept !== undefined && isGood(kept, names, clock.now()) ? kept : await renew(path, names, clock, log);
  let apply: ((material: TlsMaterial) => void) | undefined;

  const look = async () => {
    // Another process of this data directory may have made one.
    const found = readKept(path);
    const next =
      found !== undefined && isGood(found, names, clock.now()) ? found : await renew(path, names, clock, log);
    if (next.cert === current.cert) return;
    current = next;
    apply?.(current);
  };
  const loop = startLoop({ name: 'tls', everyMs: LOOK_EVERY_MS, clock, log, run: look });

  return {
    get current() {
      return current;
    },
    get fingerprint() {
      return new X509Certificate(current.cert).fingerprint256;
    },
    onChange(listener) {
      apply = listener;
    },
    [Symbol.asyncDispose]: () => loop[Symbol.asyncDispose](),
  };
}

/** The library that writes certificates is loaded by the one start in years that needs it. */
async function renew(
  path: string,
  names: readonly string[],
  clock: Clock,
  log: Logger,
): Promise<TlsMaterial> {
  const { makeSelfSigned } = await import('./certificate.ts');
  const now = clock.now();
  const made = makeSelfSigned({
    names: namesOf(names),
    notBefore: now - BACKDATED_MS,
    notAfter: now + LIFETIME_MS,
  });
  writeKept(path, made);
  const { fingerprint256, validTo } = new X509Certificate(made.cert);
  log.info('made a certificate', { file: path, fingerprint: fingerprint256, good_until: validTo });
  return made;
}

function isGood({ cert }: TlsMaterial, names: readonly string[], now: number): boolean {
  const certificate = new X509Certificate(cert);
  const { validFromDate, validToDate } = certificate;
  return (
    names.every((name) => covers(certificate, name)) &&
    validFromDate.getTime() <= now &&
    now < validToDate.getTime() - RENEW_BEFORE_MS
  );
}

/** A name with a star is covered where any of its names is. */
function covers(certificate: X509Certificate, name: string): boolean {
  const found =
    isIP(name) === 0 ? certificate.checkHost(name.replace('*', 'any')) : certificate.checkIP(name);
  return found !== undefined;
}

/** The names people may use for this machine; loopback, because that is how an ssh tunnel ends. */
function namesOf(names: readonly string[]): string[] {
  const addresses = Object.values(networkInterfaces()).flat();
  const reachable = addresses.filter(
    (each) => each !== undefined && !each.internal && !each.address.startsWith('fe80'),
  );
  return [
    ...new Set([
      ...names,
      'localhost',
      '127.0.0.1',
      '::1',
      ...reachable.flatMap((each) => each?.address ?? []),
    ]),
  ];
}

/** What is kept, `undefined` when there is nothing or nothing usable. */
function readKept(path: string): TlsMaterial | undefined {
  try {
    const text = readFileSync(path, 'utf8');
    const keyAt = text.indexOf('-----BEGIN PRIVATE KEY-----');
    const material = { cert: text.slice(0, keyAt), key: text.slice(keyAt) };
    checkMaterial(material);
    return material;
  } catch {
    return undefined;
  }
}

/** Whole or not at all; what a crash left of an earlier attempt goes first. */
function writeKept(path: string, { cert, key }: TlsMaterial): void {
  const temporary = `${path}.tmp`;
  rmSync(temporary, { force: true });
  const file = openSync(temporary, 'wx', OWNER_ONLY);
  try {
    writeSync(file, cert + key);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
}
