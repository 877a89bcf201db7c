import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { ByteQueue } from '../../src/tunnel/byte-queue.ts';
import { FUZZ_CASES } from '../support/fuzz-cases.ts';

const size = fc.oneof(
  { weight: 4, arbitrary: fc.nat({ max: 9 }) },
  fc.constantFrom(1023, 1024, 1025, 16_383, 16_384),
);
const step = fc.oneof(
  size.map((length) => ({ push: length })),
  fc.constant({ shift: true }),
  size.map((most) => ({ move: most })),
);

test('what was pushed comes out in order, by whichever way, and what was handed out is never written again', () => {
  let next = 0;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const queue = new ByteQueue();
      const waiting: number[] = [];
      const handedOut: [Uint8Array, number[]][] = [];
      for (const one of steps) {
        if ('push' in one) {
          const chunk = Uint8Array.from({ length: one.push }, () => next++ & 0xff);
          queue.push(chunk);
          waiting.push(...chunk);
        } else if ('shift' in one) {
          const chunk = queue.shift();
          if (chunk === undefined) expect(waiting).toEqual([]);
          else handedOut.push([chunk, waiting.splice(0, chunk.length)]);
        } else {
          const target = new Uint8Array(one.move + 3);
          const moved = queue.moveInto(target, 3, one.move);
          expect(moved).toBe(Math.min(one.move, waiting.length));
          handedOut.push([target.subarray(3, 3 + moved), waiting.splice(0, moved)]);
        }
        expect(queue.bytes).toBe(waiting.length);
      }
      for (const [chunk, bytes] of handedOut)
        expect(Buffer.from(chunk).equals(Buffer.from(bytes))).toBe(true);
    }),
    { numRuns: Math.ceil(FUZZ_CASES / 10) },
  );
}, 600_000);

test('many small chunks become few', () => {
  const queue = new ByteQueue();
  for (let at = 0; at < 100_000; at++) queue.push(Uint8Array.of(at & 0xff));
  let chunks = 0;
  for (let chunk = queue.shift(); chunk !== undefined; chunk = queue.shift()) chunks++;
  expect(chunks).toBeLessThan(10);
});
