import { describe, expect, test } from 'bun:test';
import { posix } from 'node:path';
import * as fc from 'fast-check';
import { canonicalPath, lenientForm } from '../../../src/forward-auth/canonical-path.ts';

describe('a path is taken as it stands', () => {
  test.each([
    '/',
    '/a',
    '/a/',
    '/a/b.html',
    '/.well-known/x',
    '/a/..b',
    '/...',
    '/a;b=c',
    '/@user/~home/$x',
    '/[slug]|x',
    '/a%20b',
    '/a%3Bb',
    '/100%25',
    '/%C3%A4',
    '/a%2Cb',
  ])('%j', (path) => {
    expect(canonicalPath(path)).toBe(path);
  });
});

describe('a path is brought to one spelling', () => {
  test.each([
    ['/%61dmin', '/admin'],
    ['/%41%5f%7e%2d%30', '/A_~-0'],
    ['/%c3%a4', '/%C3%A4'],
    ['/a%3bb', '/a%3Bb'],
  ])('%j is %j', (path, canonical) => {
    expect(canonicalPath(path)).toBe(canonical);
  });
});

describe('a path that two programs could read differently is refused', () => {
  test.each([
    ['nothing', ''],
    ['no slash first', 'a'],
    ['an absolute URL', 'https://app.example.test/'],
    ['an asterisk', '*'],
    ['two slashes', '//'],
    ['two slashes inside', '/a//b'],
    ['two slashes at the end', '/a//'],
    ['a dot segment', '/./a'],
    ['a dot segment at the end', '/a/.'],
    ['two dots', '/..'],
    ['two dots inside', '/a/../admin'],
    ['two dots at the end', '/a/..'],
    ['escaped dots', '/a/%2e%2e/admin'],
    ['one escaped dot', '/a/.%2E/admin'],
    ['an escaped dot in a name', '/a%2eb'],
    ['an escaped slash', '/a%2Fb'],
    ['an escaped backslash', '/a%5cb'],
    ['a backslash', '/a\\b'],
    ['two dots before a parameter', '/..;/admin'],
    ['two dots before an escaped parameter', '/..%3b/admin'],
    ['a dot before a parameter', '/a/.;x'],
    ['nothing but a parameter', '/;x/admin'],
    ['nothing but an escaped parameter', '/%3Bx/admin'],
    ['a doubly escaped dot', '/%252e%252e/admin'],
    ['a doubly escaped slash', '/a%252Fb'],
    ['an escape put together from escapes', '/%25%32%66'],
    ['a broken escape', '/%'],
    ['a short escape', '/%2'],
    ['letters after a percent sign', '/%zz'],
    ['an escape of IIS', '/%u002f'],
    ['a percent sign before an escape', '/%%32e'],
    ['an escaped NUL', '/a%00b'],
    ['an escaped line break', '/a%0d%0ab'],
    ['an escaped DEL', '/a%7f'],
    ['a NUL', '/a\0b'],
    ['a tab', '/a\tb'],
    ['a space', '/a b'],
    ['a raw letter beyond ASCII', '/ä'],
    ['a fragment', '/a#b'],
    ['an overlong dot', '/%c0%ae%c0%ae/admin'],
    ['an overlong slash', '/a%c0%afb'],
    ['a byte that is no UTF-8', '/%e9'],
    ['dots before a space', '/a/..%20/admin'],
    ['a space between dots', '/a/.%20./admin'],
    ['dots before a wide space', '/a/..%E3%80%80/admin'],
    ['dots before a space at the end', '/a/..%20'],
    ['dots before a space and a parameter', '/a/..%20;x/admin'],
    ['dots before what could be a query', '/a/..%3Fx'],
    ['dots before what could be a fragment', '/a/..%23/admin'],
    ['nothing but a space', '/a/%20/admin'],
    ['nothing but a space at the end', '/a/%20'],
    ['full-width dots', '/a/%EF%BC%8E%EF%BC%8E/admin'],
    ['two dots in one character', '/a/%E2%80%A5/admin'],
    ['full-width slashes around dots', '/a%EF%BC%8F..%EF%BC%8Fadmin'],
    ['a full-width backslash', '/a%EF%BC%BCb'],
  ])('%s', (_what, path) => {
    expect(canonicalPath(path)).toBeUndefined();
  });
});

const HEX = '0123456789abcdefABCDEF';

/** Written the other way round than the code: byte by byte, and without a regular expression for the whole. */
function strictModel(path: string): string | undefined {
  const bytes: number[] = [];
  let canonical = '';
  for (let at = 0; at < path.length; at++) {
    const character = path.charAt(at);
    const code = path.charCodeAt(at);
    if (character !== '%') {
      if (code <= 0x20 || code >= 0x7f || '\\#?'.includes(character)) return undefined;
      bytes.push(code);
      canonical += character;
      continue;
    }
    const digits = path.slice(at + 1, at + 3);
    if (digits.length !== 2 || Array.from(digits).some((digit) => !HEX.includes(digit))) return undefined;
    const byte = Number.parseInt(digits, 16);
    const decoded = String.fromCharCode(byte);
    if (byte < 0x20 || byte === 0x7f || './\\'.includes(decoded)) return undefined;
    bytes.push(byte);
    const unreserved = byte < 0x80 && (/[a-z0-9]/i.test(decoded) || '-_~'.includes(decoded));
    canonical += unreserved ? decoded : `%${digits.toUpperCase()}`;
    at += 2;
  }
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(bytes));
  } catch {
    return undefined;
  }
  if (
    canonical
      .split('%25')
      .slice(1)
      .some((rest) => /^[0-9a-f]{2}/i.test(rest))
  )
    return undefined;
  const [first, ...segments] = canonical.split('/');
  if (first !== '' || segments.length === 0) return undefined;
  const clear = segments.every((segment, index) => {
    const [name] = segment.split(/;|%3B/);
    if (name === '.' || name === '..') return false;
    return name !== '' || (segment === '' && index === segments.length - 1);
  });
  return clear && !hidesDots(bytes) ? canonical : undefined;
}

function hidesDots(bytes: readonly number[]): boolean {
  const plain = new TextDecoder().decode(Uint8Array.from(bytes)).normalize('NFKC');
  const segments = plain.split('/').slice(1);
  const nameOf = (segment: string, ends: RegExp) => (segment.split(ends)[0] ?? '').replaceAll(/\s/g, '');
  return (
    plain.includes('\\') ||
    segments.some((segment, index) => {
      if (['.', '..'].includes(nameOf(segment, /[;?#]/))) return true;
      return nameOf(segment, /;/) === '' && !(segment === '' && index === segments.length - 1);
    })
  );
}

const PIECES = `/ / / . .. %23 %3f %20 %EF%BC%8E %E2%80%A5 %EF%BC%8F ; % %2e %2F %5C %3b %25 %2 25 2f %41 %7e %00 %c3%a4 %c0%ae %E2%84%AA a B 9 - \\ # ? é + @ [`;
const pieces = fc.constantFrom(...PIECES.split(' '), ' ', '\0');
const paths = fc.oneof(
  fc.array(pieces, { maxLength: 8 }).map((parts) => `/${parts.join('')}`),
  fc.string({ unit: 'binary-ascii', maxLength: 12 }),
);

describe('the canonicaliser', () => {
  test('agrees with a strict model of it', () => {
    fc.assert(
      fc.property(paths, (path) => {
        expect(canonicalPath(path)).toBe(strictModel(path));
      }),
      { numRuns: 20_000 },
    );
  });

  test('changes nothing that it has given', () => {
    fc.assert(
      fc.property(paths, (path) => {
        const canonical = canonicalPath(path);
        if (canonical !== undefined) expect(canonicalPath(canonical)).toBe(canonical);
      }),
      { numRuns: 10_000 },
    );
  });

  test('gives nothing that decoding, merging slashes or resolving dots would move elsewhere', () => {
    fc.assert(
      fc.property(paths, (path) => {
        const canonical = canonicalPath(path);
        if (canonical === undefined) return;
        const decoded = decodeURIComponent(canonical);
        expect(posix.normalize(decoded)).toBe(decoded);
        expect(new URL(canonical, 'https://app.example.test').pathname.split('/').length).toBe(
          canonical.split('/').length,
        );
      }),
      { numRuns: 10_000 },
    );
  });
});

describe('the lenient form', () => {
  test.each([
    ['/admin/x', '/admin/x'],
    ['/ADMIN/X', '/admin/x'],
    ['/admin;v=1/x;y', '/admin/x'],
    ['/admin%3Bv=1/x', '/admin/x'],
    ['/%C3%84', '/ä'],
    ['/bac%E2%84%AAup', '/backup'],
    ['/a%20b', '/a b'],
    ['/admin./x', '/admin/x'],
    ['/admin.', '/admin'],
    ['/admin%20/x', '/admin/x'],
    ['/admin.%20.', '/admin'],
    ['/admin%20;v=1/x', '/admin/x'],
    ['/%EF%BD%81dmin', '/admin'],
    ['/admin%23/x', '/admin'],
    ['/join/%23room:a.test', '/join/'],
    ['/admin%3Fx', '/admin'],
    ['/.../admin', '/admin'],
    ['/a.b/c', '/a.b/c'],
    ['/a/...', '/a/'],
  ])('of %j is %j', (path, lenient) => {
    expect(lenientForm(path)).toBe(lenient);
  });
});
