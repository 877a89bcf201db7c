import { hkdfSync } from 'node:crypto';
import type { Branded } from './brand.ts';

/** What a key is for; each purpose has keys of its own, so that no value made for one is good for another. */
export type KeyPurpose = Branded<string, 'KeyPurpose'>;

/** Names a purpose. Write it once, as a constant beside the code that uses the key. */
export const keyPurpose = (name: string): KeyPurpose => name as KeyPurpose;

export interface DerivedKey {
  /** One byte that tells which secret the key came from. */
  readonly id: number;
  /** 32 bytes. */
  readonly bytes: Uint8Array;
}

/** The appliance's secret and its predecessors; new values are made with the first, all are accepted. */
export interface KeyRing {
  /** Keys for one purpose, the current one first. */
  keys(purpose: KeyPurpose): readonly [DerivedKey, ...DerivedKey[]];
}

const KEY_BYTES = 32;

/**
 * Derives every key by HKDF-SHA-256 (RFC 5869) from the secrets given, current first.
 * @throws when two secrets share a key id, because a value could then not say which key made it.
 */
export function keyRing(secrets: readonly [Uint8Array, ...Uint8Array[]]): KeyRing {
  const ids = secrets.map((secret) => hkdf(secret, 'key id', 1)[0] ?? 0);
  if (new Set(ids).size !== ids.length) throw new Error('two of the secrets share a key id; make a new one');
  const derive = (purpose: KeyPurpose) => (secret: Uint8Array, index: number) => ({
    id: ids[index] ?? 0,
    bytes: hkdf(secret, `postern ${purpose}`, KEY_BYTES),
  });
  return {
    keys(purpose) {
      const [current, ...previous] = secrets;
      const toKey = derive(purpose);
      return [toKey(current, 0), ...previous.map((secret, index) => toKey(secret, index + 1))];
    },
  };
}

function hkdf(secret: Uint8Array, info: string, length: number): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, new Uint8Array(0), info, length));
}
