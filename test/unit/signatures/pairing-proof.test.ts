import { describe, expect, test } from 'bun:test';
import { newDeviceKey } from '../../../src/signatures/ed25519-key.ts';
import { isPairingProof, type PairingClaim, signPairing } from '../../../src/signatures/pairing-proof.ts';

const key = newDeviceKey();
const claim: PairingClaim = {
  origin: 'https://auth.home.example',
  presented: 'ABCD-EFGH',
  created: 1_795_000_000,
  nonce: 'jGvdnyKgGmnv9Xrd1WLTzg',
};
const proof = signPairing(key, claim);

describe('the proof of a pairing', () => {
  test('is a signature over the lines of the claim', () => {
    const text = 'postern-pair-v1\nhttps://auth.home.example\nABCD-EFGH\n1795000000\njGvdnyKgGmnv9Xrd1WLTzg';
    expect(proof).toBe(Buffer.from(key.sign(text)).toString('base64url'));
    expect(proof).toHaveLength(86);
    expect(isPairingProof(key.publicKey, claim, proof)).toBe(true);
  });

  test.each([
    ['another origin', { origin: 'https://other.example' }],
    ['another code', { presented: 'ABCD-EFGJ' }],
    ['another time', { created: 1_795_000_001 }],
    ['another nonce', { nonce: 'jGvdnyKgGmnv9Xrd1WLTzh' }],
    ['an origin that swallows a line', { origin: 'https://auth.home.example\nABCD-EFGH', presented: '' }],
  ])('is none for %s', (_what, change) => {
    expect(isPairingProof(key.publicKey, { ...claim, ...change }, proof)).toBe(false);
  });

  test('is none of another key', () => {
    expect(isPairingProof(newDeviceKey().publicKey, claim, proof)).toBe(false);
  });

  test('has one text', () => {
    for (const other of ['', `${proof}==`, proof.slice(1), `${proof}A`, proof.replaceAll(/[-_]/g, '+')]) {
      if (other !== proof) expect(isPairingProof(key.publicKey, claim, other)).toBe(false);
    }
  });

  test('holds no line break, so that no two claims have one text', () => {
    const [one, two] = [
      { ...claim, presented: 'code\n1', nonce: 'nonce' },
      { ...claim, origin: `${claim.origin}\ncode`, presented: '1' },
    ];
    expect(isPairingProof(key.publicKey, one, signPairing(key, one))).toBe(false);
    expect(isPairingProof(key.publicKey, two, signPairing(key, two))).toBe(false);
  });
});
