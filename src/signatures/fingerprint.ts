import { createHash } from 'node:crypto';
import { encodeBase32LowerCaseNoPadding } from '@oslojs/encoding';
import type { DevicePublicKey } from './model.ts';

/** 80 bits: nobody finds another key for them, and people can compare sixteen letters. */
const BYTES = 10;

/** By which people compare a key on two screens: sixteen letters and digits in groups of four, of its SHA-256. */
export function keyFingerprint(publicKey: DevicePublicKey): string {
  const digest = createHash('sha256').update(publicKey, 'base64url').digest();
  const letters = encodeBase32LowerCaseNoPadding(digest.subarray(0, BYTES));
  return (letters.match(/.{4}/g) ?? []).join(' ');
}
