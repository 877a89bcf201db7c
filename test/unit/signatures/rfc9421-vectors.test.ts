import { describe, expect, test } from 'bun:test';
import { deviceKey, readPublicKey, verifyText } from '../../../src/signatures/ed25519-key.ts';
import type { DevicePublicKey } from '../../../src/signatures/model.ts';
import { signatureBase } from '../../../src/signatures/signature-base.ts';
import { readSignature } from '../../../src/signatures/signature-input.ts';
import {
  ED25519_PUBLIC_KEY,
  ED25519_SEED,
  isSignatureOver,
  RFC_9421_VECTORS,
} from '../../support/rfc9421.ts';

const key = deviceKey(Buffer.from(ED25519_SEED, 'base64url'));

describe('signatures of RFC 9421 appendix B', () => {
  test('the key of the appendix is one of ours', () => {
    expect(readPublicKey(ED25519_PUBLIC_KEY)).toEqual({
      ok: true,
      publicKey: ED25519_PUBLIC_KEY as DevicePublicKey,
    });
    expect(key.publicKey).toBe(ED25519_PUBLIC_KEY as DevicePublicKey);
  });

  test.each(RFC_9421_VECTORS)('$section: the signature is over our text', (vector) => {
    expect(isSignatureOver(signatureBase(vector.components, vector.params), vector)).toBe(true);
  });

  test.each(RFC_9421_VECTORS)('$section: over any other component it is not', (vector) => {
    for (const [index, [name, value]] of vector.components.entries()) {
      const changed = vector.components.with(index, [name, `${value}x`]);
      expect(isSignatureOver(signatureBase(changed, vector.params), vector)).toBe(false);
    }
  });

  const ed25519 = RFC_9421_VECTORS.filter(({ algorithm }) => algorithm === 'ed25519');

  test.each(ed25519)('$section: we sign it the same, and verify it', ({ components, params, signature }) => {
    const base = signatureBase(components, params);
    expect(Buffer.from(key.sign(base)).toString('base64')).toBe(signature);
    expect(verifyText(key.publicKey, base, Buffer.from(signature, 'base64'))).toBe(true);
    expect(verifyText(key.publicKey, `${base} `, Buffer.from(signature, 'base64'))).toBe(false);
  });

  test.each(RFC_9421_VECTORS)('$section: it is not of our profile', ({ params, signature }) => {
    const headers = new Headers({ 'signature-input': `sig=${params}`, signature: `sig=:${signature}:` });
    expect(readSignature(headers)).toBeOneOf(['malformed', 'components']);
  });
});
