import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { keyPurpose, keyRing } from '../../../src/lib/key-ring.ts';
import { sealer } from '../../../src/lib/seal.ts';

const SECRET = new Uint8Array(32).fill(1);
const OLDER = new Uint8Array(32).fill(2);
const PURPOSE = keyPurpose('test');
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

describe('a key ring', () => {
  test('derives the same keys from the same secrets, others for each purpose and each secret', () => {
    const [key, older] = keyRing([SECRET, OLDER]).keys(PURPOSE);
    expect(hex(key.bytes)).toBe(hex(keyRing([SECRET]).keys(PURPOSE)[0].bytes));
    expect(older?.bytes).toEqual(keyRing([OLDER]).keys(PURPOSE)[0].bytes);
    const [other] = keyRing([SECRET]).keys(keyPurpose('other'));
    expect(new Set([hex(key.bytes), hex(older?.bytes ?? new Uint8Array()), hex(other.bytes)]).size).toBe(3);
    expect(key.bytes).toHaveLength(32);
  });

  test('tells its secrets apart by an id that does not depend on their order', () => {
    const ids = (secrets: [Uint8Array, ...Uint8Array[]]) =>
      keyRing(secrets)
        .keys(PURPOSE)
        .map(({ id }) => id);
    expect(ids([OLDER, SECRET])).toEqual(ids([SECRET, OLDER]).toReversed());
    expect(() => keyRing([SECRET, SECRET])).toThrow('share a key id');
  });
});

describe('a sealed value', () => {
  const CONTEXT = ['table', 'row', 'user'];

  test('opens for its context with the current secret and every previous one', () => {
    const sealed = sealer(keyRing([OLDER]), PURPOSE).seal('grüße', CONTEXT);
    expect(sealer(keyRing([SECRET, OLDER]), PURPOSE).open(sealed, CONTEXT)).toBe('grüße');
    expect(sealer(keyRing([SECRET]), PURPOSE).open(sealed, CONTEXT)).toBeUndefined();
    expect(sealer(keyRing([OLDER]), keyPurpose('other')).open(sealed, CONTEXT)).toBeUndefined();
  });

  test('does not open for another context, however it is cut', () => {
    const box = sealer(keyRing([SECRET]), PURPOSE);
    const sealed = box.seal('x', CONTEXT);
    for (const other of [
      ['table', 'row'],
      ['tablerow', 'user'],
      ['table', 'row,user'],
      [...CONTEXT, ''],
    ]) {
      expect(box.open(sealed, other)).toBeUndefined();
    }
  });

  test('is another each time, and any change of it is noticed', () => {
    const box = sealer(keyRing([SECRET]), PURPOSE);
    expect(box.seal('x', CONTEXT)).not.toBe(box.seal('x', CONTEXT));
    const sealed = Buffer.from(box.seal('a longer secret', CONTEXT), 'base64url');
    fc.assert(
      fc.property(fc.nat({ max: sealed.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, by) => {
        const changed = Buffer.from(sealed);
        changed[at] = (changed[at] ?? 0) ^ by;
        return box.open(changed.toString('base64url'), CONTEXT) === undefined;
      }),
    );
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => box.open(text, CONTEXT) === undefined));
  });
});
