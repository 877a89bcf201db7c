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

/** Keys for one purpose, the current one first. */
export type DerivedKeys = readonly [DerivedKey, ...DerivedKey[]];

/** The appliance's secret and its predecessors; new values are made with the first, all are accepted. */
export interface KeyRing {
  /** The same array at every call for one purpose: it changes in its place when the ring gets another secret. */
  keys(purpose: KeyPurpose): DerivedKeys;
}

/** A ring whose secret can be changed while it is in use. */
export interface ChangingKeyRing extends KeyRing {
  /** @throws when two secrets share a key id; nothing has changed then. */
  change(secrets: Secrets): void;
}

/** The current one first. */
type Secrets = readonly [Uint8Array, ...Uint8Array[]];

const KEY_BYTES = 32;

/**
 * Derives every key by HKDF-SHA-256 (RFC 5869) from the secrets given, current first.
 * @throws when two secrets share a key id, because a value could then not say which key made it.
 */
export function keyRing(secrets: Secrets): ChangingKeyRing {
  let current = identified(secrets);
  const derived = new Map<KeyPurpose, [DerivedKey, ...DerivedKey[]]>();
  const derive = (purpose: KeyPurpose): [DerivedKey, ...DerivedKey[]] => {
    const [first, ...previous] = current;
    const toKey = ({ id, secret }: IdentifiedSecret) => ({
      id,
      bytes: hkdf(secret, `postern ${purpose}`, KEY_BYTES),
    });
    return [toKey(first), ...previous.map(toKey)];
  };
  return {
    keys(purpose) {
      const known = derived.get(purpose) ?? derive(purpose);
      derived.set(purpose, known);
      return known;
    },
    change(next) {
      current = identified(next);
      for (const [purpose, keys] of derived) keys.splice(0, keys.length, ...derive(purpose));
    },
  };
}

interface IdentifiedSecret {
  readonly id: number;
  readonly secret: Uint8Array;
}

function identified([first, ...previous]: Secrets): [IdentifiedSecret, ...IdentifiedSecret[]] {
  const withId = (secret: Uint8Array) => ({ id: hkdf(secret, 'key id', 1)[0] ?? 0, secret });
  const all: [IdentifiedSecret, ...IdentifiedSecret[]] = [withId(first), ...previous.map(withId)];
  if (new Set(all.map(({ id }) => id)).size !== all.length)
    throw new Error('two of the secrets share a key id; make a new one');
  return all;
}

function hkdf(secret: Uint8Array, info: string, length: number): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, new Uint8Array(0), info, length));
}
