import { createCipheriv, createDecipheriv } from 'node:crypto';
import { decodeBase64urlIgnorePadding, encodeBase64urlNoPadding } from '@oslojs/encoding';
import type { KeyPurpose, KeyRing } from './key-ring.ts';
import { randomBytes } from './random.ts';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Seals small values (AES-256-GCM); what `context` names is authenticated with them and must be the same to open. */
export interface Sealer {
  /** Base64url of key id, nonce, ciphertext and tag. */
  seal(plaintext: string, context: readonly string[]): string;
  /** The plaintext, or `undefined` for anything this ring did not seal for this context. */
  open(sealed: string, context: readonly string[]): string | undefined;
}

export function sealer(ring: KeyRing, purpose: KeyPurpose): Sealer {
  const keys = ring.keys(purpose);
  return {
    seal(plaintext, context) {
      const [key] = keys;
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', key.bytes, nonce);
      cipher.setAAD(associatedData(context));
      const parts = [cipher.update(plaintext, 'utf8'), cipher.final(), cipher.getAuthTag()];
      return encodeBase64urlNoPadding(Buffer.concat([Uint8Array.of(key.id), nonce, ...parts]));
    },
    open(sealed, context) {
      try {
        const bytes = decodeBase64urlIgnorePadding(sealed);
        const key = keys.find(({ id }) => id === bytes[0]);
        if (key === undefined || bytes.length < 1 + NONCE_BYTES + TAG_BYTES) return undefined;
        const decipher = createDecipheriv('aes-256-gcm', key.bytes, bytes.subarray(1, 1 + NONCE_BYTES));
        decipher.setAAD(associatedData(context));
        decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
        const body = bytes.subarray(1 + NONCE_BYTES, bytes.length - TAG_BYTES);
        return Buffer.concat([decipher.update(body), decipher.final()]).toString('utf8');
      } catch {
        return undefined;
      }
    },
  };
}

/** Joined so that no two different contexts give the same bytes. */
function associatedData(context: readonly string[]): Buffer {
  return Buffer.from(JSON.stringify(context), 'utf8');
}
