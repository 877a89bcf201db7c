import { expect, test } from 'bun:test';
import { encodeBase32LowerCaseNoPadding } from '@oslojs/encoding';
import * as fc from 'fast-check';
import { base32 } from '../../../src/lib/base32.ts';

test.each([
  ['', ''],
  ['f', 'my'],
  ['fo', 'mzxq'],
  ['foo', 'mzxw6'],
  ['foob', 'mzxw6yq'],
  ['fooba', 'mzxw6ytb'],
  ['foobar', 'mzxw6ytboi'],
])('RFC 4648 section 10: %p', (text, encoded) => {
  expect(base32(Buffer.from(text))).toBe(encoded);
});

test('any bytes, as another encoder writes them', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 64 }),
      (bytes) => base32(bytes) === encodeBase32LowerCaseNoPadding(bytes),
    ),
  );
});
