import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { isHeader } from '../../src/tunnel/header-list.ts';
import {
  decodeAnswerHead,
  decodeRequestHead,
  encodeAnswerHead,
  encodeRequestHead,
  HeadError,
  headLength,
} from '../../src/tunnel/heads.ts';
import { FUZZ_CASES } from '../support/fuzz-cases.ts';

const odd = fc.oneof(fc.string({ unit: 'binary', maxLength: 20 }), fc.jsonValue({ maxDepth: 2 }));
/** Something that is right, now and then nearly right, or anything. */
const mostly = (right: unknown[], wrong: unknown[]) =>
  fc.oneof(
    { weight: 30, arbitrary: fc.constantFrom(...right) },
    { weight: 2, arbitrary: fc.constantFrom(...wrong) },
    { weight: 1, arbitrary: odd },
  );
const line = fc.oneof(
  {
    weight: 20,
    arbitrary: fc.tuple(fc.constantFrom('accept', 'x-a', 'cookie'), fc.constantFrom('', 'x', 'a; b')),
  },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom('te', 'A', 'connection'), fc.constant('x')) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.string({ maxLength: 6 }), fc.string({ unit: 'binary', maxLength: 12 })),
  },
  { weight: 1, arbitrary: fc.tuple(fc.constant('x-a'), fc.constantFrom('a\r\nb: c', 'x\0', ' x')) },
  { weight: 1, arbitrary: odd },
);
const headers = fc.oneof(
  { weight: 20, arbitrary: fc.array(line, { maxLength: 4 }) },
  { weight: 1, arbitrary: odd },
);

const request = fc.oneof(
  {
    weight: 1,
    arbitrary: fc.record(
      { kind: fc.constant('tcp'), service: mostly(['ssh'], ['-a']), more: odd },
      { requiredKeys: ['kind', 'service'] },
    ),
  },
  {
    weight: 9,
    arbitrary: fc
      .record({
        kind: mostly(['http', 'websocket'], ['tcp', 'udp']),
        service: mostly(['web', 'a-b'], ['-a', 'A']),
        method: mostly(['GET'], ['POST', 'TRACE', 'GET ']),
        target: mostly(['/', '/a?b'], ['http://a/', '/ x', '/\r\n']),
        scheme: mostly(['http', 'https'], ['ws']),
        host: mostly(['a.example', 'a.example:80', '[::1]'], ['a b']),
        headers,
      })
      .chain((head) => fc.constantFrom(head, head, head, { ...head, more: 1 })),
  },
);
const answer = fc.oneof(
  { weight: 9, arbitrary: fc.record({ status: mostly([200, 404, 101], [100, 600, '200']), headers }) },
  { weight: 1, arbitrary: fc.record({ refused: mostly(['busy'], ['no']) }) },
  { weight: 1, arbitrary: fc.record({ status: odd, headers, refused: odd }) },
);

/** What the decoder made of a text; `undefined` when it refused it. Anything else that it throws is a bug. */
function attempt<Head>(decode: (text: Uint8Array) => Head, text: string | Uint8Array): Head | undefined {
  try {
    return decode(typeof text === 'string' ? Buffer.from(text) : text);
  } catch (error) {
    if (error instanceof HeadError) return undefined;
    throw error;
  }
}

let accepted = 0;

test('a request head is refused, or safe to hand on and the same when it is sent again', () => {
  fc.assert(
    fc.property(request, (value) => {
      const head = attempt(decodeRequestHead, JSON.stringify(value));
      if (head === undefined) {
        // The other side would not have sent it either.
        expect(() => encodeRequestHead(JSON.parse(JSON.stringify(value)))).toThrow(HeadError);
        return;
      }
      accepted++;
      const encoded = encodeRequestHead(head);
      expect(headLength(encoded)).toBe(encoded.length - 4);
      expect(decodeRequestHead(encoded.subarray(4))).toEqual(head);
      if (head.kind === 'tcp') return;
      expect(`${head.method}${head.target}${head.host}`).toMatch(/^[\x21-\x7e]+$/);
      for (const [name, text] of head.headers) expect(isHeader(name, text)).toBe(true);
      expect(head.headers.flat().join('')).not.toMatch(/[\r\n\0]/);
    }),
    { numRuns: FUZZ_CASES },
  );
  expect(accepted).toBeGreaterThan(FUZZ_CASES / 10);
}, 600_000);

test('an answer head likewise', () => {
  fc.assert(
    fc.property(answer, (value) => {
      const head = attempt(decodeAnswerHead, JSON.stringify(value));
      if (head === undefined) return;
      expect(decodeAnswerHead(encodeAnswerHead(head).subarray(4))).toEqual(head);
    }),
    { numRuns: FUZZ_CASES },
  );
}, 600_000);

test('any bytes are a head, or refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      attempt(decodeRequestHead, bytes);
      attempt(decodeAnswerHead, bytes);
      attempt(headLength, bytes);
    }),
    { numRuns: FUZZ_CASES },
  );
}, 600_000);
