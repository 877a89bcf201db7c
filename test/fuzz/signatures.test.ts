import { describe, expect, test } from 'bun:test';
import { createPublicKey } from 'node:crypto';
import * as fc from 'fast-check';
import { createSignatureSync } from 'http-message-sig';
import { REQUEST_TAG } from '../../src/signatures/constants.ts';
import { contentDigest, readContentDigest } from '../../src/signatures/content-digest.ts';
import { newDeviceKey, readPublicKey } from '../../src/signatures/ed25519-key.ts';
import { signRequest } from '../../src/signatures/sign-request.ts';
import { readSignature } from '../../src/signatures/signature-input.ts';
import { FUZZ_CASES } from '../support/fuzz-cases.ts';
import { type OracleKey, ourVerdict, theirVerdict, type WireRequest } from '../support/signature-oracle.ts';

const NOW = Date.UTC(2030, 0, 1);
const signer: OracleKey = { key: newDeviceKey(), sessionId: `ses_${'a'.repeat(26)}`, now: NOW };
const other: OracleKey = { ...signer, key: newDeviceKey() };

/** Never fewer than are promised. */
const ORACLE_CASES = Math.max(10_000, Math.ceil(FUZZ_CASES / 10));
/** A long run takes its time. */
const TIMEOUT_MS = Math.max(60_000, FUZZ_CASES * 2);

/** Pieces that such fields are made of, so that what is made of them at random often nearly fits. */
const PIECES = [
  ['sig=', 'sig1=', '(', ')', '"@method"', '"@authority"', '"@path"', '"@query"', '"content-digest"', ' '],
  [';created=1893456000', ';nonce="AAAAAAAAAAAAAAAAAAAAAA"', `;keyid="${signer.sessionId}"`],
  [`;tag="${REQUEST_TAG}"`, ';alg="ed25519"', ';expires=1', ';', '=', '"', ',', ', ', ':', '-', '0', '\\'],
  ['\t', 'é', 'sha-256=', 'sha-512=', '=:', '("@method" "@authority" "@path" "@query")'],
  [`:${'A'.repeat(86)}==:`, `:${'A'.repeat(43)}=:`, 'A'.repeat(85)],
].flat();
const piece = fc.constantFrom(...PIECES);
const text = fc.oneof(
  fc.array(piece, { maxLength: 14 }).map((pieces) => pieces.join('')),
  fc.string({ unit: 'binary-ascii', maxLength: 60 }),
);
/** What the runtime lets into a header at all. */
const field = text.filter((value) => /^[\t\x20-\x7e\x80-\xff]*$/.test(value));

describe('fields that anybody sends', () => {
  test(
    'are read or refused, never anything else, and what is read is in the one form',
    () => {
      fc.assert(
        fc.property(field, field, (input, value) => {
          const read = readSignature(new Headers({ 'signature-input': input, signature: value }));
          if (typeof read === 'string') return true;
          const base64 = Buffer.from(read.signature).toString('base64');
          return (
            input.endsWith(`=${read.params}`) &&
            value.endsWith(`=:${base64}:`) &&
            read.signature.length === 64
          );
        }),
        { numRuns: FUZZ_CASES },
      );
    },
    TIMEOUT_MS,
  );

  test(
    'hold a digest that says what it says, or none',
    () => {
      fc.assert(
        fc.property(text, (value) => {
          const digests = readContentDigest(value);
          if (digests === undefined) return true;
          const written = [...digests].map(([algorithm, digest]) => `${algorithm}=:${digest}:`);
          return value.replaceAll(/[\s,]+/g, '') === written.join('') && digests.size > 0;
        }),
        { numRuns: FUZZ_CASES },
      );
    },
    TIMEOUT_MS,
  );

  test(
    'hold a key that the runtime can use, or none',
    () => {
      const bytes = fc
        .uint8Array({ minLength: 30, maxLength: 34 })
        .map((each) => Buffer.from(each).toString('base64url'));
      fc.assert(
        fc.property(fc.oneof(bytes, text), (value) => {
          const read = readPublicKey(value);
          if (!read.ok) return true;
          const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: value }, format: 'jwk' });
          return key.export({ format: 'jwk' })['x'] === read.publicKey;
        }),
        { numRuns: Math.ceil(FUZZ_CASES / 20) },
      );
    },
    TIMEOUT_MS,
  );
});

const target = fc
  .tuple(
    fc.array(fc.constantFrom('a', 'B', '%2F', '%C3%BC', '~', '-', '.x', ';', '=', '@', ':'), {
      maxLength: 6,
    }),
    fc.option(fc.array(fc.constantFrom('a=1', '&', 'b', '=', '%20', '+', '?', '/'), { maxLength: 5 }), {
      nil: undefined,
    }),
  )
  .map(([path, query]) => `/api/${path.join('')}${query === undefined ? '' : `?${query.join('')}`}`);

const request = fc
  .record({
    method: fc.constantFrom('GET', 'POST', 'PATCH', 'DELETE'),
    host: fc.constantFrom('auth.example.test', 'localhost:7400', 'auth.example.test:8443', '[::1]:7400'),
    target,
    body: fc.oneof(fc.constant(''), fc.string({ maxLength: 40 })),
  })
  .map(({ method, host, target, body }) => ({ method, url: new URL(`http://${host}${target}`).href, body }));

/** A request that was signed as it should be, by us. */
const signed = fc
  .tuple(request, fc.integer({ min: -70, max: 40 }), fc.constantFrom(signer, signer, signer, other))
  .map(([{ method, url, body }, skew, { key, sessionId }]): WireRequest => {
    const bytes = Buffer.from(body);
    const fields = signRequest(
      { method, url: new URL(url), body: bytes },
      { key, sessionId, now: NOW + skew * 1_000 },
    );
    return { method, url, body, fields: { ...fields, 'content-length': String(bytes.length) } };
  });

/** What may become of it on its way. */
const change = fc.oneof(
  fc.record({
    kind: fc.constant('splice' as const),
    field: fc.constantFrom('signature', 'signature-input', 'content-digest', 'content-length'),
    at: fc.nat({ max: 400 }),
    take: fc.nat({ max: 3 }),
    put: fc.oneof(piece, fc.constantFrom('', 'A', '0', 'a', ' ')).filter((each) => each !== 'é'),
  }),
  fc.record({
    kind: fc.constant('drop' as const),
    field: fc.constantFrom('signature', 'signature-input', 'content-digest'),
  }),
  fc.record({
    kind: fc.constant('swap' as const),
    from: fc.constantFrom(
      'sig=',
      'created=',
      '"@path"',
      '"@query"',
      ';tag',
      'nonce',
      'sha-256',
      '"content-digest"',
      ' "@query"',
    ),
    to: fc.constantFrom(
      'sig1=',
      'expires=',
      '"@scheme"',
      '"@path"',
      ';alg',
      'keyid',
      'sha-512',
      '',
      '"@query";req',
    ),
  }),
  fc.record({ kind: fc.constant('url' as const), url: target }),
  fc.record({ kind: fc.constant('method' as const), method: fc.constantFrom('PUT', 'get') }),
  fc.record({ kind: fc.constant('body' as const), body: fc.string({ maxLength: 5 }) }),
);

type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

function changed(wire: WireRequest, each: Change): WireRequest {
  const { [each.kind === 'splice' || each.kind === 'drop' ? each.field : '']: value = '', ...rest } =
    wire.fields;
  switch (each.kind) {
    case 'splice': {
      const at = each.at % (value.length + 1);
      const spliced = value.slice(0, at) + each.put + value.slice(at + each.take);
      return { ...wire, fields: { ...rest, [each.field]: spliced.trim() } };
    }
    case 'drop':
      return { ...wire, fields: rest };
    case 'swap': {
      const swap = ([name, text]: [string, string]) => [name, text.replace(each.from, each.to)] as const;
      return { ...wire, fields: Object.fromEntries(Object.entries(wire.fields).map(swap)) };
    }
    case 'url':
      return { ...wire, url: new URL(each.url, wire.url).href };
    case 'method':
      return { ...wire, method: each.method };
    case 'body': {
      const body = wire.body + each.body;
      return { ...wire, body, fields: { ...wire.fields, 'content-length': String(Buffer.byteLength(body)) } };
    }
  }
}

describe('beside http-message-sig, restricted to the profile', () => {
  test(
    'every request gets the same verdict, changed on its way or not',
    async () => {
      let taken = 0;
      await fc.assert(
        fc.asyncProperty(signed, fc.array(change, { maxLength: 2 }), async (wire, changes) => {
          const sent = changes.reduce(changed, wire);
          const ours = await ourVerdict(sent, signer);
          taken += ours ? 1 : 0;
          return ours === (await theirVerdict(sent, signer));
        }),
        { numRuns: ORACLE_CASES },
      );
      expect(taken).toBeGreaterThan(ORACLE_CASES / 10);
      expect(taken).toBeLessThan(ORACLE_CASES * 0.9);
    },
    TIMEOUT_MS,
  );

  test(
    'what it signs is taken, in whatever order it writes the parameters',
    async () => {
      const order = fc.shuffledSubarray(['created', 'nonce', 'keyid', 'tag', 'alg'], { minLength: 5 });
      await fc.assert(
        fc.asyncProperty(request, order, ({ method, url, body }, names) => {
          const bytes = Buffer.from(body);
          const digest: Record<string, string> =
            bytes.length === 0 ? {} : { 'content-digest': contentDigest(bytes) };
          const values = {
            created: NOW / 1_000,
            nonce: 'AAAAAAAAAAAAAAAAAAAAAA',
            keyid: signer.sessionId,
            tag: REQUEST_TAG,
            alg: 'ed25519',
          };
          const { signature, signatureInput } = createSignatureSync(
            {
              kind: 'request',
              method,
              targetUri: url,
              fields: Object.entries(digest).map(([name, value]) => ({ name, value })),
            },
            {
              label: 'sig1',
              components: ['@method', '@authority', '@path', '@query', ...Object.keys(digest)],
              parameters: Object.fromEntries(
                names.map((name) => [name, values[name as keyof typeof values]]),
              ),
              signer: { algorithm: 'ed25519', sign: (data) => signer.key.sign(Buffer.from(data).toString()) },
            },
          );
          const fields = {
            ...digest,
            signature,
            'signature-input': signatureInput,
            'content-length': String(bytes.length),
          };
          return ourVerdict({ method, url, body, fields }, signer);
        }),
        { numRuns: Math.ceil(FUZZ_CASES / 50) },
      );
    },
    TIMEOUT_MS,
  );
});

test(
  'no change of a signed request is taken: but for its label, which nothing depends on',
  async () => {
    await fc.assert(
      fc.asyncProperty(signed, change, async (wire, each) => {
        const sent = changed(wire, each);
        if (!(await ourVerdict(sent, signer))) return true;
        return JSON.stringify(withoutLabel(sent)) === JSON.stringify(withoutLabel(wire));
      }),
      { numRuns: FUZZ_CASES },
    );
  },
  TIMEOUT_MS,
);

/** All of a request that a signature holds; an empty query and none are the same (RFC 9421 section 2.2.7). */
function withoutLabel({ method, url, body, fields }: WireRequest) {
  const { signature = '', 'signature-input': input = '' } = fields;
  const rest = [signature, input].map((each) => each.slice(each.indexOf('=')));
  return {
    method,
    url: url.replace(/\?$/, ''),
    body,
    rest,
    digest: body === '' ? undefined : fields['content-digest'],
  };
}
