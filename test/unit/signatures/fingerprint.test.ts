import { expect, test } from 'bun:test';
import { readPublicKey } from '../../../src/signatures/ed25519-key.ts';
import { keyFingerprint } from '../../../src/signatures/fingerprint.ts';

test('a fingerprint is the begin of the SHA-256 of the key in base32', () => {
  // The key of RFC 8032 section 7.1, test 1; the digest and the letters by Python’s hashlib and base64.
  const key = readPublicKey('11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo');
  if (!key.ok) throw new Error(key.defect);
  expect(keyFingerprint(key.publicKey)).toBe('eh7d dx5b ksrg cytl');
});
