import { describe, expect, test } from 'bun:test';
import { createPublicKey, randomBytes, verify } from 'node:crypto';
import { deviceKey, newDeviceKey, readPublicKey, verifyText } from '../../../src/signatures/ed25519-key.ts';

const P = 2n ** 255n - 19n;

/** Seed, public key, message and signature of RFC 8032 section 7.1, in hexadecimal; messages that are text. */
const RFC_8032: readonly (readonly [
  name: string,
  seed: string,
  publicKey: string,
  message: string,
  signature: string,
])[] = [
  [
    'TEST 1',
    '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
    'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    '',
    'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  ],
  [
    'TEST 2',
    '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
    '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    'r',
    '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
  ],
];

/** `y` of the points whose order divides 8, the larger two as RFC 7748 and everybody after it print them. */
const SMALL_ORDER = [
  0n,
  1n,
  P - 1n,
  littleEndian('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05'),
  littleEndian('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a'),
];

describe('keys of devices', () => {
  test.each(RFC_8032)('RFC 8032 %s', (_name, seed, publicKey, message, signature) => {
    const key = deviceKey(Buffer.from(seed, 'hex'));
    expect(Buffer.from(key.publicKey, 'base64url').toString('hex')).toBe(publicKey);
    expect(Buffer.from(key.sign(message)).toString('hex')).toBe(signature);
    expect(verifyText(key.publicKey, message, Buffer.from(signature, 'hex'))).toBe(true);
    expect(verifyText(key.publicKey, `${message}.`, Buffer.from(signature, 'hex'))).toBe(false);
  });

  test('a seed is the whole key', () => {
    const key = newDeviceKey();
    expect(deviceKey(key.seed).publicKey).toBe(key.publicKey);
    expect(() => deviceKey(key.seed.subarray(1))).toThrow(RangeError);
  });

  test('every new key is read', () => {
    for (let each = 0; each < 100; each++) {
      const { publicKey } = newDeviceKey();
      expect(readPublicKey(publicKey)).toEqual({ ok: true, publicKey });
    }
  });

  test.each([
    ['', 'wrong_length'],
    [encode(Buffer.alloc(31, 9)), 'wrong_length'],
    [encode(Buffer.alloc(33, 9)), 'wrong_length'],
    [encode(Buffer.alloc(64, 9)), 'wrong_length'],
    [`${newDeviceKey().publicKey}=`, 'not_base64url'],
    [` ${newDeviceKey().publicKey}`, 'not_base64url'],
    [`${newDeviceKey().publicKey}\n`, 'not_base64url'],
    ['-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAJrQLj5P\n-----END PUBLIC KEY-----', 'not_base64url'],
    ['JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs', 'not_base64url'],
    ['26b40b8f93fff3d897112f7ebc582b232dbd72517d082fe83cfb30ddce43d1bb', 'wrong_length'],
    // The last letter has two bits that no byte has.
    ['JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bt', 'not_base64url'],
  ] as const)('%p is refused: %s', (text, defect) => {
    expect(readPublicKey(text)).toEqual({ ok: false, defect });
  });

  test.each(SMALL_ORDER.flatMap((y) => [encodePoint(y, 0), encodePoint(y, 1)]))(
    'a point of small order is refused: %s',
    (text) => {
      expect(readPublicKey(text)).toEqual({ ok: false, defect: 'small_order' });
    },
  );

  test.each([P, P + 1n, P + 18n].flatMap((y) => [encodePoint(y, 0), encodePoint(y, 1)]))(
    'a number that is not reduced is refused: %s',
    (text) => {
      expect(readPublicKey(text)).toEqual({ ok: false, defect: 'not_canonical' });
    },
  );

  test('what is no point is refused, and about half of all numbers are none', () => {
    let points = 0;
    for (let each = 0; each < 200; each++) {
      const y = BigInt(`0x${randomBytes(32).toString('hex')}`) % P;
      const read = readPublicKey(encodePoint(y, each % 2));
      if (read.ok) points++;
      else expect(read.defect).toBe('not_on_curve');
    }
    expect(points).toBeGreaterThan(50);
    expect(points).toBeLessThan(150);
  });

  test('why: the runtime takes such keys, and one signature then fits any message', () => {
    const identity = encodePoint(1n, 0);
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: identity }, format: 'jwk' });
    const forged = Buffer.concat([Buffer.from(identity, 'base64url'), Buffer.alloc(32)]);
    for (let each = 0; each < 16; each++) expect(verify(null, randomBytes(40), key, forged)).toBe(true);
  });

  test('a signature whose second half is not reduced is refused (RFC 8032 section 5.1.7)', () => {
    const key = newDeviceKey();
    const signature = Buffer.from(key.sign('text'));
    const order = 2n ** 252n + 27742317777372353535851937790883648493n;
    const s = littleEndian(signature.subarray(32).toString('hex')) + order;
    const malleable = Buffer.concat([signature.subarray(0, 32), bytesOf(s)]);
    expect(verifyText(key.publicKey, 'text', signature)).toBe(true);
    expect(verifyText(key.publicKey, 'text', malleable)).toBe(false);
  });
});

function encode(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url');
}

function encodePoint(y: bigint, sign: number): string {
  return encode(bytesOf(y | (BigInt(sign) << 255n)));
}

function bytesOf(value: bigint): Buffer {
  return Buffer.from(Buffer.from(value.toString(16).padStart(64, '0'), 'hex').toReversed());
}

function littleEndian(hex: string): bigint {
  return BigInt(`0x${Buffer.from(Buffer.from(hex, 'hex').toReversed()).toString('hex')}`);
}
