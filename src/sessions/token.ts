import { constantTimeEqual } from '@oslojs/crypto/subtle';
import { encodeBase64urlNoPadding } from '@oslojs/encoding';
import { type DerivedKey, type KeyRing, keyPurpose } from '../lib/key-ring.ts';
import { randomBytes } from '../lib/random.ts';
import type { CredentialUse, SessionToken, TokenHash } from './model.ts';

const TOKEN_MAC = keyPurpose('session token mac');
const REFRESH_ROTATION = keyPurpose('refresh token rotation');

/** What a token is for can be read off its prefix, so that a secret found in the wild is recognised. */
const PREFIXES: Record<CredentialUse, string> = {
  cookie: 'pstc_',
  access: 'psta_',
  refresh: 'pstr_',
  device: 'pstd_',
  personal: 'pstp_',
};
const USES = Object.keys(PREFIXES) as CredentialUse[];
const PREFIX_LENGTH = 5;
const SECRET_BYTES = 32;
/** A byte of key id and the secret: 33 bytes are 44 characters of base64url, with none half used. */
const HEAD_LENGTH = PREFIX_LENGTH + 44;
/** 132 bits. */
const MAC_LENGTH = 22;

/** Every token has this many characters; anything else is not one of ours. */
export const TOKEN_LENGTH = HEAD_LENGTH + MAC_LENGTH;

/** Makes and recognises tokens: 256 random bits between a key id and a MAC, so that garbage needs no look-up. */
export interface TokenMint {
  mint(use: CredentialUse): SessionToken;
  /** Whether one of our keys made this token; says nothing about whether it is still good. */
  isGenuine(token: string): boolean;
  /** The token of one use that follows `from`; nobody else can tell. One for each key, the current one first. */
  readonly derivations: readonly [Derive, ...Derive[]];
}

export type Derive = (use: CredentialUse, from: string) => SessionToken;

export function tokenMint(ring: KeyRing): TokenMint {
  const keys = ring.keys(TOKEN_MAC).map(({ id, bytes }) => ({ id, mac: macWith(bytes) }));
  const [current] = keys;
  if (current === undefined) throw new Error('a key ring has at least one key');
  const withMac = (key: typeof current, use: CredentialUse, secret: Uint8Array) => {
    const head = `${PREFIXES[use]}${encodeBase64urlNoPadding(Buffer.concat([Uint8Array.of(key.id), secret]))}`;
    return `${head}${key.mac(head)}` as SessionToken;
  };
  const derivation = ({ id, bytes }: DerivedKey): Derive => {
    const template = new Bun.CryptoHasher('sha256', bytes);
    const key = keys.find((each) => each.id === id) ?? current;
    return (use, from) => withMac(key, use, template.copy().update(`${use} ${from}`).digest());
  };
  const [rotation, ...previous] = ring.keys(REFRESH_ROTATION);
  return {
    derivations: [derivation(rotation), ...previous.map(derivation)],
    mint: (use) => withMac(current, use, randomBytes(SECRET_BYTES)),
    isGenuine(token) {
      if (token.length !== TOKEN_LENGTH) return false;
      const head = token.slice(0, HEAD_LENGTH);
      const key = keys.find(({ id }) => id === keyIdOf(head));
      return key !== undefined && isSameText(token.slice(HEAD_LENGTH), key.mac(head));
    },
  };
}

/** SHA-256 of the token as it stands, base64url. */
export function hashToken(token: string): TokenHash {
  return Bun.SHA256.hash(token, 'base64url') as TokenHash;
}

/** What the token says that it is for. @throws when no key of ours made it: ask `isGenuine` first. */
export function useOf(token: string): CredentialUse {
  const prefix = token.slice(0, PREFIX_LENGTH);
  const use = USES.find((each) => PREFIXES[each] === prefix);
  if (use === undefined) throw new Error('a token that nobody made has no use');
  return use;
}

/** Whether a bearer credential looks like one of ours, so that it is never passed on to anybody else. */
export function hasTokenPrefix(text: string): boolean {
  const prefix = text.slice(0, PREFIX_LENGTH);
  return Object.values(PREFIXES).includes(prefix);
}

/** The first byte after the prefix. */
function keyIdOf(head: string): number | undefined {
  return Buffer.from(head.slice(PREFIX_LENGTH, PREFIX_LENGTH + 4), 'base64url')[0];
}

/**
 * The MAC of a token's text, as text: what reads differently is another token, so nothing need be decoded.
 * A keyed template is copied for every MAC: ten times cheaper than keying anew.
 */
function macWith(key: Uint8Array): (head: string) => string {
  const template = new Bun.CryptoHasher('sha256', key);
  return (head) => template.copy().update(head).digest('base64url').slice(0, MAC_LENGTH);
}

function isSameText(one: string, other: string): boolean {
  return constantTimeEqual(Buffer.from(one), Buffer.from(other));
}
