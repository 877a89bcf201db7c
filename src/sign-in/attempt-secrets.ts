import { encodeBase64urlNoPadding } from '@oslojs/encoding';
import { type KeyRing, keyPurpose } from '../lib/key-ring.ts';

const PKCE_KEY = keyPurpose('sign-in pkce');
const NONCE_KEY = keyPurpose('sign-in nonce');

/** What an attempt sends to the provider and must find again; nothing of it is stored. */
export interface AttemptSecrets {
  /** RFC 7636 section 4.1. */
  readonly codeVerifier: string;
  readonly nonce: string;
}

/** Derives them from the secret in the browser's cookie: who lacks the cookie has neither. */
export function attemptSecrets(ring: KeyRing): (browserSecret: string) => AttemptSecrets {
  const [pkceKey] = ring.keys(PKCE_KEY);
  const [nonceKey] = ring.keys(NONCE_KEY);
  return (browserSecret) => ({
    codeVerifier: hmac(pkceKey.bytes, browserSecret),
    nonce: hmac(nonceKey.bytes, browserSecret),
  });
}

function hmac(key: Uint8Array, text: string): string {
  return encodeBase64urlNoPadding(new Bun.CryptoHasher('sha256', key).update(text).digest());
}
