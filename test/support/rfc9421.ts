import { createHmac, createPublicKey, verify } from 'node:crypto';
import type { CoveredComponent } from '../../src/signatures/signature-base.ts';

/** What RFC 9421 appendix B prints: keys, messages and signatures. */

/** The seed and the public key of `test-key-ed25519` (B.1.4), base64url. */
export const ED25519_SEED = 'n4Ni-HpISpVObnQMW0wOhCKROaIKqKtW_2ZYb2p9KcU';
export const ED25519_PUBLIC_KEY = 'JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs';

const RSA_PSS = pem(`MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAr4tmm3r20Wd/PbqvP1s2
+QEtvpuRaV8Yq40gjUR8y2Rjxa6dpG2GXHbPfvMs8ct+Lh1GH45x28Rw3Ry53mm+
oAXjyQ86OnDkZ5N8lYbggD4O3w6M6pAvLkhk95AndTrifbIFPNU8PPMO7OyrFAHq
gDsznjPFmTOtCEcN2Z1FpWgchwuYLPL+Wokqltd11nqqzi+bJ9cvSKADYdUAAN5W
Utzdpiy6LbTgSxP7ociU4Tn0g5I6aDZJ7A8Lzo0KSyZYoA485mqcO0GVAdVw9lq4
aOT9v6d+nb4bnNkQVklLQ3fVAvJm+xdDOp9LCNCN48V2pnDOkFV6+U9nV5oyc6XI
2wIDAQAB`);
const ECC_P256 = pem(`MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqIVYZVLCrPZHGHjP17CTW0/+D9Lf
w0EkjqF7xB4FivAxzic30tMM4GF+hR6Dxh71Z50VGGdldkkDXZCnTNnoXQ==`);
const SHARED_SECRET = Buffer.from(
  'uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==',
  'base64',
);

export type Algorithm = 'ed25519' | 'rsa-pss-sha512' | 'ecdsa-p256-sha256' | 'hmac-sha256';

export interface Rfc9421Vector {
  section: string;
  algorithm: Algorithm;
  components: readonly CoveredComponent[];
  /** What follows the label in `Signature-Input`. */
  params: string;
  signature: string;
}

/** Whether the signature of a vector is one over this text; for what our profile has no algorithm for. */
export function isSignatureOver(base: string, { algorithm, signature }: Rfc9421Vector): boolean {
  const data = Buffer.from(base);
  const bytes = Buffer.from(signature, 'base64');
  switch (algorithm) {
    case 'hmac-sha256':
      return createHmac('sha256', SHARED_SECRET).update(data).digest().equals(bytes);
    case 'rsa-pss-sha512':
      return verify('sha512', data, { key: RSA_PSS, padding: 6, saltLength: 64 }, bytes);
    case 'ecdsa-p256-sha256':
      return verify('sha256', data, { key: ECC_P256, dsaEncoding: 'ieee-p1363' }, bytes);
    case 'ed25519':
      return verify(
        null,
        data,
        { key: createPublicKey({ key: jwk(ED25519_PUBLIC_KEY), format: 'jwk' }) },
        bytes,
      );
  }
}

/** The components of `test-request` (B.2), by name. */
const REQUEST: Readonly<Record<string, string>> = {
  '@method': 'POST',
  '@authority': 'example.com',
  '@path': '/foo',
  '@query': '?param=Value&Pet=dog',
  date: 'Tue, 20 Apr 2021 02:07:55 GMT',
  'content-type': 'application/json',
  'content-digest':
    'sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:',
  'content-length': '18',
};

const RESPONSE: Readonly<Record<string, string>> = {
  '@status': '200',
  'content-type': 'application/json',
  'content-digest':
    'sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgfLQ==:',
  'content-length': '23',
};

const TRANSFORMED: Readonly<Record<string, string>> = {
  '@method': 'GET',
  '@path': '/demo',
  '@authority': 'example.org',
  accept: 'application/json, */*',
};

const CREATED = 1618884473;

/** Every signature of appendix B.2 and B.4 whose components need no parameters of their own. */
export const RFC_9421_VECTORS: readonly Rfc9421Vector[] = [
  vector('B.2.1', 'rsa-pss-sha512', REQUEST, [], {
    tail: ';keyid="test-key-rsa-pss";nonce="b3k2pp5k7z-50gnwp.yemd"',
    signature:
      'd2pmTvmbncD3xQm8E9ZV2828BjQWGgiwAaw5bAkgibUopemLJcWDy/lkbbHAve4cRAtx31Iq786U7it++wgGxbtRxf8Udx7zFZsckzXaJMkA7ChG52eSkFxykJeNqsrWH5S+oxNFlD4dzVuwe8DhTSja8xxbR/Z2cOGdCbzR72rgFWhzx2VjBqJzsPLMIQKhO4DGezXehhWwE56YCE+O6c0mKZsfxVrogUvA4HELjVKWmAvtl6UnCh8jYzuVG5WSb/QEVPnP5TmcAnLH1g+s++v6d4s8m0gCw1fV5/SITLq9mhho8K3+7EPYTU8IU1bLhdxO5Nyt8C8ssinQ98Xw9Q==',
  }),
  vector(
    'B.2.3',
    'rsa-pss-sha512',
    REQUEST,
    ['date', '@method', '@path', '@query', '@authority', 'content-type', 'content-digest', 'content-length'],
    {
      tail: ';keyid="test-key-rsa-pss"',
      signature:
        'bbN8oArOxYoyylQQUU6QYwrTuaxLwjAC9fbY2F6SVWvh0yBiMIRGOnMYwZ/5MR6fb0Kh1rIRASVxFkeGt683+qRpRRU5p2voTp768ZrCUb38K0fUxN0O0iC59DzYx8DFll5GmydPxSmme9v6ULbMFkl+V5B1TP/yPViV7KsLNmvKiLJH1pFkh/aYA2HXXZzNBXmIkoQoLd7YfW91kE9o/CCoC1xMy7JA1ipwvKvfrs65ldmlu9bpG6A9BmzhuzF8Eim5f8ui9eH8LZH896+QIF61ka39VBrohr9iyMUJpvRX2Zbhl5ZJzSRxpJyoEZAFL2FUo5fTIztsDZKEgM4cUA==',
    },
  ),
  vector(
    'B.2.4',
    'ecdsa-p256-sha256',
    RESPONSE,
    ['@status', 'content-type', 'content-digest', 'content-length'],
    {
      tail: ';keyid="test-key-ecc-p256"',
      signature: 'wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzDnDAUy5eCdlYUEkLIj+32oiasw==',
    },
  ),
  vector('B.2.5', 'hmac-sha256', REQUEST, ['date', '@authority', 'content-type'], {
    tail: ';keyid="test-shared-secret"',
    signature: 'pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=',
  }),
  vector(
    'B.2.6',
    'ed25519',
    REQUEST,
    ['date', '@method', '@path', '@authority', 'content-type', 'content-length'],
    {
      tail: ';keyid="test-key-ed25519"',
      signature: 'wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==',
    },
  ),
  vector('B.4', 'ed25519', TRANSFORMED, ['@method', '@path', '@authority', 'accept'], {
    tail: ';keyid="test-key-ed25519"',
    signature: 'ZT1kooQsEHpZ0I1IjCqtQppOmIqlJPeo7DHR3SoMn0s5JZ1eRGS0A+vyYP9t/LXlh5QMFFQ6cpLt2m0pmj3NDA==',
  }),
];

function vector(
  section: string,
  algorithm: Algorithm,
  message: Readonly<Record<string, string>>,
  names: readonly string[],
  { tail, signature }: { tail: string; signature: string },
): Rfc9421Vector {
  return {
    section,
    algorithm,
    components: names.map((name) => [name, message[name] ?? ''] as const),
    params: `(${names.map((name) => `"${name}"`).join(' ')});created=${CREATED}${tail}`,
    signature,
  };
}

function pem(base64: string): string {
  return `-----BEGIN PUBLIC KEY-----\n${base64}\n-----END PUBLIC KEY-----\n`;
}

function jwk(x: string) {
  return { kty: 'OKP', crv: 'Ed25519', x };
}
