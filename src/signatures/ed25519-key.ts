import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { randomBytes } from '../lib/random.ts';
import { KEY_BYTES } from './constants.ts';
import { type PointDefect, pointDefect } from './edwards25519.ts';
import type { DevicePublicKey } from './model.ts';

export type KeyDefect = 'not_base64url' | 'wrong_length' | PointDefect;

export type ReadPublicKey =
  | { readonly ok: true; readonly publicKey: DevicePublicKey }
  | { readonly ok: false; readonly defect: KeyDefect };

/** The private key of a device. It never leaves this object but through `seed`. */
export interface DeviceKey {
  readonly publicKey: DevicePublicKey;
  /** The 32 bytes that everything follows from (RFC 8032 section 5.1.5): what a device keeps. */
  readonly seed: Uint8Array;
  /** 64 bytes. */
  sign(text: string): Uint8Array;
}

/** What stands before the 32 bytes in PKCS#8 and in SubjectPublicKeyInfo (RFC 8410 sections 7 and 4). */
const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex');
const SPKI_HEAD = Buffer.from('302a300506032b6570032100', 'hex');

/** Judges a public key that somebody sent; there is one text for each key. */
export function readPublicKey(text: string): ReadPublicKey {
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.toString('base64url') !== text) return { ok: false, defect: 'not_base64url' };
  if (bytes.byteLength !== KEY_BYTES) return { ok: false, defect: 'wrong_length' };
  const defect = pointDefect(bytes);
  if (defect !== undefined) return { ok: false, defect };
  return { ok: true, publicKey: text as DevicePublicKey };
}

/** A new key from the operating system's generator. */
export function newDeviceKey(): DeviceKey {
  return deviceKey(randomBytes(KEY_BYTES));
}

/** The key of a seed. @throws RangeError unless it has 32 bytes. */
export function deviceKey(seed: Uint8Array): DeviceKey {
  if (seed.byteLength !== KEY_BYTES) throw new RangeError('the seed of a key has 32 bytes');
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_HEAD, seed]), format: 'der', type: 'pkcs8' });
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
  return {
    publicKey: spki.subarray(SPKI_HEAD.byteLength).toString('base64url') as DevicePublicKey,
    seed,
    sign: (text) => sign(null, Buffer.from(text), key),
  };
}

/** Whether the signature over the text (UTF-8) was made with the key (RFC 8032 section 5.1.7). */
export function verifyText(publicKey: DevicePublicKey, text: string, signature: Uint8Array): boolean {
  return verify(null, Buffer.from(text), keyObject(publicKey), signature);
}

/** Whether a signature was verified in this turn of the event loop. */
let isBusy = false;

function endTurn(): void {
  isBusy = false;
}

/**
 * The same, at once for the first one in a turn of the event loop. Those that follow in the same turn go to another thread: that
 * costs a tenth more, but what else waits is not held up by fifty microseconds for each.
 */
export function verifyTextSoon(
  publicKey: DevicePublicKey,
  text: string,
  signature: Uint8Array,
): boolean | Promise<boolean> {
  if (isBusy) return verifyElsewhere(publicKey, text, signature);
  isBusy = true;
  setImmediate(endTurn);
  return verifyText(publicKey, text, signature);
}

function verifyElsewhere(publicKey: DevicePublicKey, text: string, signature: Uint8Array): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  verify(null, Buffer.from(text), keyObject(publicKey), signature, (error, isGood) => {
    if (error === null) resolve(isGood);
    else reject(error);
  });
  return promise;
}

/** Making it costs less than looking it up would. */
function keyObject(publicKey: DevicePublicKey): KeyObject {
  const key = Buffer.concat([SPKI_HEAD, Buffer.from(publicKey, 'base64url')]);
  return createPublicKey({ key, format: 'der', type: 'spki' });
}
