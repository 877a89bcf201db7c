import { describe, expect, test } from 'bun:test';
import { keyPurpose, keyRing } from '../../../src/lib/key-ring.ts';
import { newTypedCode, readTypedCode, showTypedCode, typedCodeHashes } from '../../../src/lib/typed-code.ts';

describe('a code that people type', () => {
  test('has 8 of 30 signs, none of which looks like another', () => {
    const seen = new Set<string>();
    for (let at = 0; at < 2_000; at++) {
      const code = newTypedCode();
      expect(code).toMatch(/^[2-9A-HJKMNP-TV-Z]{8}$/);
      for (const sign of code) seen.add(sign);
    }
    expect(seen.size).toBe(30);
  });

  test('is shown in two groups, and read however it is typed', () => {
    expect(showTypedCode('ABCDEFGH')).toBe('ABCD-EFGH');
    for (const typed of ['ABCD-EFGH', 'abcdefgh', ' ab cd – ef gh ', 'ABCD—EFGH\n']) {
      expect(readTypedCode(typed)).toBe('ABCDEFGH');
    }
  });

  test.each(['', 'ABCD-EFG', 'ABCD-EFGHJ', 'ABCD-EFG0', 'ABCD_EFGH', 'ÄBCDEFGH', 'ABCD-EFGH'.repeat(9)])(
    'is not "%s"',
    (typed) => expect(readTypedCode(typed)).toBeUndefined(),
  );
});

test('a hash needs the key, and outlives a change of it', () => {
  const [one, other] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
  const ring = keyRing([one]);
  const hashes = typedCodeHashes(ring, keyPurpose('test'));
  const stored = hashes.of('ABCDEFGH');
  expect(stored).not.toBe(typedCodeHashes(keyRing([other]), keyPurpose('test')).of('ABCDEFGH'));
  expect(stored).not.toBe(typedCodeHashes(ring, keyPurpose('another')).of('ABCDEFGH'));
  ring.change([other, one]);
  expect(hashes.of('ABCDEFGH')).not.toBe(stored);
  expect(hashes.candidates('ABCDEFGH')).toContain(stored);
});
