import { expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { keyRing } from '../../src/lib/key-ring.ts';
import { hashToken, hasTokenPrefix, TOKEN_LENGTH, tokenMint } from '../../src/sessions/token.ts';

const CURRENT = new Uint8Array(32).fill(1);
const PREVIOUS = new Uint8Array(32).fill(2);
const STRANGE = new Uint8Array(32).fill(3);
const mint = tokenMint(keyRing([CURRENT, PREVIOUS]));

const use = fc.constantFrom('cookie', 'access', 'refresh', 'device', 'personal');
const prefix = fc.constantFrom('pstc_', 'psta_', 'pstr_', 'pstd_', 'pstp_', 'pstx_', '');
const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const letter = fc.constantFrom(...BASE64URL.split(''), '=', '+', '/', ' ', 'é', '\u0000', '\ud800');
const RUNS = { numRuns: 2_000 };

test('what was minted is genuine, and every use has its own shape', () => {
  fc.assert(
    fc.property(use, (each) => {
      const token = mint.mint(each);
      return mint.isGenuine(token) && token.length === TOKEN_LENGTH && hasTokenPrefix(token);
    }),
  );
  expect(mint.mint('cookie')).not.toBe(mint.mint('cookie'));
});

test('no other string is genuine', () => {
  const noise = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc
      .tuple(prefix, fc.string({ unit: letter, minLength: 64, maxLength: 68 }))
      .map((parts) => parts.join('')),
    fc
      .tuple(prefix, fc.uint8Array({ minLength: 49, maxLength: 49 }))
      .map(([start, bytes]) => start + Buffer.from(bytes).toString('base64url')),
  );
  fc.assert(
    fc.property(noise, (text) => !mint.isGenuine(text)),
    RUNS,
  );
});

test('no change of a token is genuine: no letter replaced, added, left out, or written otherwise', () => {
  const token = mint.mint('cookie');
  const place = fc.nat({ max: token.length - 1 });
  const changes = fc.oneof(
    fc.tuple(place, letter).map(([at, by]) => token.slice(0, at) + by + token.slice(at + 1)),
    fc.tuple(place, letter).map(([at, by]) => token.slice(0, at) + by + token.slice(at)),
    place.map((at) => token.slice(0, at) + token.slice(at + 1)),
    place.map((at) => token.slice(at) + token.slice(0, at)),
    fc.constantFrom(`${token}=`, ` ${token}`, token.toUpperCase(), token.replace('pstc_', 'pstp_')),
  );
  fc.assert(
    fc.property(changes, (changed) => changed === token || !mint.isGenuine(changed)),
    RUNS,
  );
});

test('tokens of previous secrets stay genuine, those of strangers are not', () => {
  const before = tokenMint(keyRing([PREVIOUS])).mint('access');
  expect(mint.isGenuine(before)).toBe(true);
  expect(tokenMint(keyRing([CURRENT])).isGenuine(before)).toBe(false);
  expect(mint.isGenuine(tokenMint(keyRing([STRANGE])).mint('access'))).toBe(false);
});

test('a hash says nothing of its token, and is the same each time', () => {
  const token = mint.mint('personal');
  expect(hashToken(token)).toBe(hashToken(Buffer.from(token).toString()));
  expect(hashToken(token)).toMatch(/^[\w-]{43}$/);
});
