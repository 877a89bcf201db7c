import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { signatureVectors } from '../../../scripts/signature-vectors.ts';
import { readPublicKey } from '../../../src/signatures/ed25519-key.ts';
import { isPairingProof } from '../../../src/signatures/pairing-proof.ts';
import { isSignedBy, readSignedRequest } from '../../../src/signatures/verify-request.ts';
import { PROJECT, page } from '../../support/documentation.ts';

const published = JSON.parse(readFileSync(join(PROJECT, 'docs/signature-vectors.json'), 'utf8'));
const vectors = signatureVectors();
const read = readPublicKey(vectors.public_key);
if (!read.ok) throw new Error('the key of the vectors is none');
const { publicKey } = read;

describe('docs/signature-vectors.json', () => {
  test('is what `bun scripts/signature-vectors.ts` writes', () => {
    expect(published).toEqual(JSON.parse(JSON.stringify(vectors)));
  });

  test.each(vectors.requests)('$method $url is verified', async ({ method, url, fields, ...vector }) => {
    const length: Record<string, string> =
      'body' in vector ? { 'content-length': String(vector.body?.length) } : {};
    const request = readSignedRequest(new Headers({ ...fields, ...length }));
    if (typeof request === 'string') throw new Error(request);
    const target = { method, url, authority: new URL(url).host };
    expect(await isSignedBy(publicKey, request, target)).toBe(true);
    expect(await isSignedBy(publicKey, request, { ...target, method: 'PUT' })).toBe(false);
    expect(await isSignedBy(publicKey, request, { ...target, authority: 'other.example' })).toBe(false);
    expect(await isSignedBy(publicKey, request, { ...target, url: `${url}x` })).toBe(false);
  });

  test.each(vectors.pairings)('the proof for $presented is one', ({ proof, text: _text, ...claim }) => {
    expect(isPairingProof(publicKey, claim, proof)).toBe(true);
  });

  test.each(Object.entries(vectors.refused_keys))('the key %s is refused', (_name, text) => {
    expect(readPublicKey(text).ok).toBe(false);
  });

  test('docs/devices.md shows the one with a body, and the first proof', () => {
    const { text } = page('docs/devices.md');
    const withBody = vectors.requests.find((each) => 'body' in each);
    const fields = z.record(z.string(), z.string()).parse(withBody?.fields);
    for (const value of Object.values(fields)) expect(text).toContain(value);
    expect(text).toContain(`\n${withBody?.signature_base}\n`);
    expect(text).toContain(`\n${vectors.pairings[0]?.text}\n`);
  });
});
