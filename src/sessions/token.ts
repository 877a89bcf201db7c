import { constantTimeEqual } from '@oslojs/crypto/subtle';
import { encodeBase64urlNoPadding } from '@oslojs/encoding';
import { type KeyRing, keyPurpose } from '../lib/key-ring.ts';
import { randomBytes } from '../lib/random.ts';
import type { CredentialUse, SessionToken, TokenHash } from './model.ts';

const TOKEN_MAC = keyPurpose('session token mac');

/** What a token is for can be read off its prefix, so that a secret found in the wild is recognised. */
const PREFIXES: Record<CredentialUse, string> = {
  cookie: 'pstc_',
  access: 'psta_',
  refresh: 'pstr_',
  device: 'pstd_',
  personal: 'pstp_',
};
const PREFIX_LENGTH = 5;
const KEY_ID_BYTES = 1;
const SECRET_BYTES = 32;
const MAC_BYTES = 16;
const BODY_BYTES = KEY_ID_BYTES + SECRET_BYTES + MAC_BYTES;

/** What base64 would close the body with; tokens leave it out. */
const PADDING = '='.repeat((3 - (BODY_BYTES % 3)) % 3);

/** Every token has this many characters; anything else is not one of ours. */
export const TOKEN_LENGTH = PREFIX_LENGTH + Math.ceil((BODY_BYTES * 4) / 3);

/** Makes and recognises tokens: 256 random bits between a key id and a MAC, so that garbage needs no look-up. */
export interface TokenMint {
  mint(use: CredentialUse): SessionToken;
  /** Whether one of our keys made this token; says nothing about whether it is still good. */
  isGenuine(token: string): boolean;
}

export function tokenMint(ring: KeyRing): TokenMint {
  const keys = ring.keys(TOKEN_MAC).map(({ id, bytes }) => ({ id, mac: macWith(bytes) }));
  const [current] = keys;
  if (current === undefined) throw new Error('a key ring has at least one key');
  return {
    mint(use) {
      const prefix = PREFIXES[use];
      const head = Buffer.concat([Uint8Array.of(current.id), randomBytes(SECRET_BYTES)]);
      const body = Buffer.concat([head, current.mac(prefix, head)]);
      return `${prefix}${encodeBase64urlNoPadding(body)}` as SessionToken;
    },
    isGenuine(token) {
      if (token.length !== TOKEN_LENGTH) return false;
      const body = decodeBody(token.slice(PREFIX_LENGTH));
      const key = keys.find(({ id }) => id === body?.[0]);
      if (body === undefined || key === undefined) return false;
      const head = body.subarray(0, KEY_ID_BYTES + SECRET_BYTES);
      const mac = body.subarray(KEY_ID_BYTES + SECRET_BYTES);
      return constantTimeEqual(mac, key.mac(token.slice(0, PREFIX_LENGTH), head));
    },
  };
}

/** SHA-256 of the token as it stands, base64url. */
export function hashToken(token: string): TokenHash {
  return Bun.SHA256.hash(token, 'base64url') as TokenHash;
}

/** Whether a bearer credential looks like one of ours, so that it is never passed on to anybody else. */
export function hasTokenPrefix(text: string): boolean {
  const prefix = text.slice(0, PREFIX_LENGTH);
  return Object.values(PREFIXES).includes(prefix);
}

function decodeBody(text: string): Uint8Array | undefined {
  try {
    // Strict: unused bits of the last character would make two spellings of one token. Native, because every look-up
    // outside the cache comes through here.
    const body = Uint8Array.fromBase64(`${text}${PADDING}`, {
      alphabet: 'base64url',
      lastChunkHandling: 'strict',
    });
    return body.length === BODY_BYTES ? body : undefined;
  } catch {
    return undefined;
  }
}

/** A keyed template is copied for every MAC: ten times cheaper than keying anew. */
function macWith(key: Uint8Array): (prefix: string, head: Uint8Array) => Uint8Array {
  const template = new Bun.CryptoHasher('sha256', key);
  return (prefix, head) => template.copy().update(prefix).update(head).digest().subarray(0, MAC_BYTES);
}
