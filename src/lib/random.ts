import { encodeBase64urlNoPadding } from '@oslojs/encoding';
import { base32 } from './base32.ts';

/** Fills a new array with `length` bytes from the operating system's generator. */
export function randomBytes(length: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(length));
}

/** A new loggable id: the prefix and a UUIDv7 in base32, so that ids made one after another are near each other in an index. */
export function newId<Prefix extends string>(prefix: Prefix): `${Prefix}_${string}` {
  return `${prefix}_${base32(Bun.randomUUIDv7('buffer'))}`;
}

/** A new secret of 256 bits, base64url without padding (43 characters). */
export function newSecret(): string {
  return encodeBase64urlNoPadding(randomBytes(32));
}
