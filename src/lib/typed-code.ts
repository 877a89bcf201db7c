import { createHmac } from 'node:crypto';
import type { KeyPurpose, KeyRing } from './key-ring.ts';
import { randomBytes } from './random.ts';

/** 30 signs that people tell apart, on paper and aloud: no 0 and O, no 1, I and L, no U beside V. */
const SIGNS = '23456789ABCDEFGHJKMNPQRSTVWXYZ';
/** 8 of 30 signs are 39 bits: too few to be stored as a plain hash, plenty where guesses are counted. */
const LENGTH = 8;
const GROUP = 4;
/** The largest multiple of 30 in a byte: what lies above it would make some signs likelier. */
const FAIR_BYTES = 240;

/** A new code, for people to read off one screen and type at another: 8 signs, without the hyphen they are shown with. */
export function newTypedCode(): string {
  let code = '';
  while (code.length < LENGTH) {
    const fair = randomBytes(LENGTH).filter((byte) => byte < FAIR_BYTES);
    code += Array.from(fair, (byte) => SIGNS[byte % SIGNS.length]).join('');
  }
  return code.slice(0, LENGTH);
}

/** As it is shown: `ABCD-EFGH`. */
export const showTypedCode = (code: string): string => `${code.slice(0, GROUP)}-${code.slice(GROUP)}`;

/** The code in what somebody typed, in whatever case and with whatever spaces and hyphens; `undefined` for anything that is none. */
export function readTypedCode(text: string): string | undefined {
  if (text.length > 4 * LENGTH) return undefined;
  const code = text.replaceAll(/[\s\p{Pd}]/gu, '').toUpperCase();
  return code.length === LENGTH && Array.from(code).every((sign) => SIGNS.includes(sign)) ? code : undefined;
}

export interface TypedCodeHashes {
  /** What is stored of a code: HMAC-SHA-256 with a key of the appliance, base64url. */
  of(code: string): string;
  /** What may be stored of it: made with the current key, or with one before. */
  candidates(code: string): readonly string[];
}

/** Hashes of codes for one purpose; without the appliance's secret nobody finds a code by trying them all. */
export function typedCodeHashes(ring: KeyRing, purpose: KeyPurpose): TypedCodeHashes {
  const keys = ring.keys(purpose);
  const hash = (key: Uint8Array, code: string) => createHmac('sha256', key).update(code).digest('base64url');
  return {
    of: (code) => hash(keys[0].bytes, code),
    candidates: (code) => keys.map(({ bytes }) => hash(bytes, code)),
  };
}
