import { describe, expect, test } from 'bun:test';
import { contentDigest, fitsDigests, readContentDigest } from '../../../src/signatures/content-digest.ts';

const HELLO = '{"hello": "world"}\n';
const HELLO_SHA_256 = 'sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:';
const HELLO_SHA_512 =
  'sha-512=:YMAam51Jz/jOATT6/zvHrLVgOYTGFy1d6GJiOHTohq4yP+pgk4vf2aCsyRZOtw8MjkM7iw7yZ/WkppmM44T3qg==:';

/** Content and digest as RFC 9530 prints them; the bytes of the compressed ones are those of its erratum 8890. */
const VECTORS: readonly (readonly [section: string, content: Uint8Array, field: string])[] = [
  ['B.1', text(HELLO), HELLO_SHA_256],
  ['2', text(HELLO), HELLO_SHA_512],
  ['2, two algorithms', text(HELLO), `${HELLO_SHA_256},${HELLO_SHA_512}`],
  ['B.2', text(''), 'sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:'],
  ['B.3', text('"world"}\n'), 'sha-256=:jjcgBDWNAtbYUXI37CVG3gRuGOAjaaDRGpIUFsdyepQ=:'],
  ['B.4', compressed(), 'sha-256=:d435Qo+nKZ+gLcUHn7GQtQ72hiBVAgqoLsZnZPiTGPk=:'],
  [
    'B.6',
    compressed(),
    'sha-256=:d435Qo+nKZ+gLcUHn7GQtQ72hiBVAgqoLsZnZPiTGPk=:, sha-512=:db7fdBbgZMgX1Wb2MjA8zZj+rSNgfmDCEEXM8qLWfpfoNY0sCpHAzZbj09X1/7HAb7Od5Qfto4QpuBsFbUO3dQ==:',
  ],
  ['B.7', text('{"title": "New Title"}\n'), 'sha-256=:mEkdbO7Srd9LIOegftO0aBX+VPTVz7/CSHes2Z27gc4=:'],
  [
    'B.7, what it made',
    text('{\n  "id": "123",\n  "title": "New Title"\n}\n'),
    'sha-256=:uVSlinTTdQUwm2On4k8TJUikGN1bf/Ds8WPX4oe0h9I=:',
  ],
  [
    'B.8',
    text('{\n  "status": "created",\n  "id": "123",\n  "ts": 1569327729,\n  "instance": "/books/123"\n}\n'),
    'sha-256=:yXIGDTN5VrfoyisKlXgRKUHHMs35SNtyC3szSz1dbO8=:',
  ],
  [
    'B.10',
    text(
      '{\n  "title": "Not Found",\n  "detail": "Cannot PATCH a non-existent resource",\n  "status": 404\n}\n',
    ),
    'sha-256=:EXB0S2VF2H7ijkAVJkH1Sm0pBho0iDZcvVUHHXTTZSA=:',
  ],
];

describe('digests of RFC 9530', () => {
  test.each(VECTORS)('section %s', (_section, content, field) => {
    const digests = readContentDigest(field);
    if (digests === undefined) throw new Error('the field was not read');
    expect(fitsDigests(digests, content)).toBe(true);
    expect(fitsDigests(digests, Buffer.concat([content, Buffer.of(0)]))).toBe(false);
    if (!field.startsWith('sha-512')) expect(field.startsWith(contentDigest(content))).toBe(true);
  });

  test.each([
    ['nothing', ''],
    ['what the RFC prints with one character of padding too many', HELLO_SHA_256.replace('=:', '==:')],
    ['without padding', HELLO_SHA_256.replace('=:', ':')],
    ['an algorithm that is broken', 'md5=:Sd/dVLAcvNLSq16eXua5uQ==:'],
    ['one that is broken beside one that is not', `${HELLO_SHA_256}, md5=:Sd/dVLAcvNLSq16eXua5uQ==:`],
    ['the same algorithm twice', `${HELLO_SHA_256}, ${HELLO_SHA_256}`],
    ['a comma too many', `${HELLO_SHA_256},`],
    ['a parameter', `${HELLO_SHA_256};a=1`],
    ['a key in upper case', HELLO_SHA_256.replace('sha', 'SHA')],
    ['a token instead of bytes', 'sha-256=abc'],
    ['a string instead of bytes', `sha-256="${'A'.repeat(43)}="`],
    ['the value of the other algorithm', HELLO_SHA_512.replace('512', '256')],
    ['bits that no byte has', HELLO_SHA_256.replace('Dg=', 'Dh=')],
    ['base64url', HELLO_SHA_256.replace('/', '_')],
    ['a name that objects have', 'constructor=:AA==:'],
    ['a key alone', 'sha-256'],
  ])('not read: %s', (_what, field) => {
    expect(readContentDigest(field)).toBeUndefined();
  });

  test('of two digests both have to fit', () => {
    const digests = readContentDigest(
      `${HELLO_SHA_256}, ${contentDigest(text('other')).replace('256', '256')}`,
    );
    expect(digests).toBeUndefined();
    const swapped = readContentDigest(`${contentDigest(text('other'))}, ${HELLO_SHA_512}`);
    expect(swapped && fitsDigests(swapped, text(HELLO))).toBe(false);
  });
});

function text(content: string): Uint8Array {
  return Buffer.from(content);
}

function compressed(): Uint8Array {
  return Buffer.from('0b09807b2268656c6c6f223a2022776f726c64227d0a03', 'hex');
}
