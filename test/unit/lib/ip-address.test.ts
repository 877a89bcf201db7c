import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { formatAddress, parseAddress, parseRange, rangeContains } from '../../../src/lib/ip-address.ts';

const contains = (range: string, address: string) => {
  const parsed = parseRange(range);
  const bytes = parseAddress(address);
  if (parsed === undefined || bytes === undefined) throw new Error('a test speaks of real addresses');
  return rangeContains(parsed, bytes);
};

describe('an address', () => {
  test.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::1', '::1'],
    ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::ffff:c000:201', '192.0.2.1'],
    ['0:0:0:0:0:ffff:192.0.2.1', '192.0.2.1'],
    ['::', '::'],
  ])('%s is %s', (text, expected) => {
    const bytes = parseAddress(text);
    expect(bytes && formatAddress(bytes)).toBe(expected);
  });

  test.each([
    '',
    'localhost',
    '192.0.2',
    '192.0.2.256',
    '0300.0.2.1',
    '1',
    '[::1]',
    '::1%eth0',
    '192.0.2.1:80',
    ' ::1',
    '1::2::3',
    'g::1',
  ])('is not %p', (text) => {
    expect(parseAddress(text)).toBeUndefined();
  });

  test('comes back from its bytes', () => {
    const bytes = fc.uint8Array({ minLength: 16, maxLength: 16 });
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), bytes.map(formatAddress)), (text) => {
        const parsed = parseAddress(text);
        expect(parsed).toBeDefined();
        expect(parsed && parseAddress(formatAddress(parsed))).toEqual(parsed);
      }),
    );
  });
});

describe('a range', () => {
  test.each([
    ['10.0.0.0/8', '10.255.0.1', true],
    ['10.0.0.0/8', '11.0.0.0', false],
    ['10.0.0.0/8', '::ffff:10.1.2.3', true],
    ['::ffff:10.0.0.0/104', '10.1.2.3', true],
    ['192.0.2.1', '192.0.2.1', true],
    ['192.0.2.1', '192.0.2.2', false],
    ['192.0.2.0/31', '192.0.2.1', true],
    ['192.0.2.0/31', '192.0.2.2', false],
    ['172.16.0.0/12', '172.31.255.255', true],
    ['172.16.0.0/12', '172.32.0.0', false],
    ['0.0.0.0/0', '203.0.113.7', true],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['::/0', '2001:db8::1', true],
    ['::/0', '192.0.2.1', false],
    ['fe80::/10', 'febf::1', true],
    ['fe80::/10', 'fec0::1', false],
    ['2001:db8::1', '2001:db8::1', true],
  ])('%s holds %s: %p', (range, address, expected) => {
    expect(contains(range, address)).toBe(expected);
  });

  test.each([
    '',
    '10.0.0.0/',
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/08',
    '10.0.0.0/8/8',
    '10.0.0.1/8',
    '::/129',
    '::1/64',
    '::ffff:10.0.0.0/8',
    'all',
    '10.0.0.0/8 ',
  ])('is not %p', (text) => {
    expect(parseRange(text)).toBeUndefined();
  });
});
