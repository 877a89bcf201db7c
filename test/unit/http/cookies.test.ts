import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import {
  clearCookie,
  cookieName,
  cookieValue,
  readCookie,
  setCookie,
  stripOurCookies,
} from '../../../src/http/cookies.ts';
import { parseOrigin } from '../../../src/http/origin.ts';

const SECURE = parseOrigin('https://auth.example.com');
const LOOPBACK = parseOrigin('http://localhost:7400');

describe('a cookie of ours', () => {
  test('is named after the scheme and, on loopback, the port', () => {
    expect(cookieName(SECURE)).toBe('__Host-postern');
    expect(cookieName(SECURE, 'flow')).toBe('__Host-postern-flow');
    expect(cookieName(LOOPBACK)).toBe('postern_7400');
    expect(cookieName(LOOPBACK, 'flow')).toBe('postern_7400_flow');
  });

  test('is for this host alone and out of reach of scripts', () => {
    expect(setCookie(SECURE, '__Host-postern', 'abc', 60)).toBe(
      '__Host-postern=abc; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure',
    );
    expect(setCookie(LOOPBACK, 'postern_7400', 'abc', 59.9)).toBe(
      'postern_7400=abc; Path=/; Max-Age=59; HttpOnly; SameSite=Lax',
    );
    expect(clearCookie(SECURE, '__Host-postern')).toContain('__Host-postern=; Path=/; Max-Age=0;');
  });

  test.each(['a;b', 'a b', 'a\r\nSet-Cookie: x=y', 'a"b', 'é'])('never holds %p', (value) => {
    expect(() => setCookie(SECURE, '__Host-postern', value, 60)).toThrow();
  });
});

describe('reading a cookie', () => {
  const read = (cookie: string) =>
    readCookie(new Request('https://a.example/', { headers: { cookie } }), '__Host-postern');

  test.each([
    ['__Host-postern=abc', 'abc'],
    ['a=1; __Host-postern=abc; b=2', 'abc'],
    ['a=1;__Host-postern=abc', 'abc'],
    ['__Host-postern = abc ; b=2', 'abc'],
    ['__Host-postern=', ''],
    ['__Host-postern=a=b', 'a=b'],
    ['__Host-postern-flow=no; x__Host-postern=no', undefined],
    ['a=__Host-postern=no', undefined],
    ['__Host-postern', undefined],
    ['other=1', undefined],
  ])('from %p gives %p', (header, value) => {
    expect(read(header)).toBe(value);
  });

  test('that was not sent gives nothing', () => {
    expect(readCookie(new Request('https://a.example/'), '__Host-postern')).toBeUndefined();
  });

  test('sent twice is refused, even with the same value', () => {
    for (const header of ['__Host-postern=a; __Host-postern=b', '__Host-postern=a;x=y;__Host-postern=a']) {
      expect(() => read(header)).toThrow(
        expect.objectContaining({ kind: 'bad_request', code: 'duplicate_cookie' }),
      );
    }
  });

  test.each(['a"b', 'a,b', 'a\\b', 'a b', 'x'.repeat(3000)])(
    'that cannot be ours is refused: %#',
    (value) => {
      expect(() => read(`__Host-postern=${value}`)).toThrow(
        expect.objectContaining({ code: 'malformed_cookie' }),
      );
    },
  );

  test('finds what was set, among anything', () => {
    const octet = fc.constantFrom(...'abcXYZ019-_.~!#$%&()*+/:<=>?@[]^`{|}'.split(''));
    const value = fc.string({ unit: octet, maxLength: 60 });
    const other = fc.record({ name: fc.string({ unit: octet, minLength: 1, maxLength: 20 }), value });
    fc.assert(
      fc.property(value, fc.array(other), fc.array(other), (ours, before, after) => {
        const pairs = (cookies: typeof before) => cookies.map((each) => `x${each.name}=${each.value}`);
        const header = [...pairs(before), `__Host-postern=${ours}`, ...pairs(after)].join('; ');
        expect(cookieValue(header, '__Host-postern')).toBe(ours);
      }),
    );
  });
});

describe('what is handed on', () => {
  test.each([
    [null, ''],
    ['', ''],
    ['a=1; b=2', 'a=1; b=2'],
    ['__Host-postern=x', ''],
    ['a=1; __Host-postern=x; b=2', 'a=1; b=2'],
    ['__Host-postern-flow-1=x; a=1', 'a=1'],
    ['postern_7400=x; postern_80_flow=y; a=1', 'a=1'],
    [
      'postern_7400=x; postern_abc=2; postern=3; my__Host-postern=4',
      'postern_abc=2; postern=3; my__Host-postern=4',
    ],
    ['a="1; __Host-postern=x"; b=2', 'a="1; b=2'],
    ['a=1;__Host-postern =x', 'a=1'],
    ['__Host-postern', ''],
    ['theme=postern_light', 'theme=postern_light'],
  ])('of %p is %p', (header, rest) => {
    expect(stripOurCookies(header)).toBe(rest);
  });

  test('never holds a cookie of ours, and every other one', () => {
    const ours = fc.constantFrom('__Host-postern', '__Host-postern-flow', 'postern_7400', 'postern_1_x');
    const theirs = fc.constantFrom('sid', 'postern', '__Host-other', 'postern_x');
    const cookie = fc.tuple(fc.oneof(ours, theirs), fc.constantFrom('1', 'a=b', ''));
    const separator = fc.constantFrom('; ', ';', ' ;  ');
    fc.assert(
      fc.property(fc.array(cookie), separator, (cookies, by) => {
        const kept = stripOurCookies(cookies.map((pair) => pair.join('=')).join(by));
        const names = kept === '' ? [] : kept.split(';').map((pair) => pair.split('=')[0]?.trim());
        const expected = cookies
          .map(([name]) => name)
          .filter((name) => ['sid', 'postern', '__Host-other', 'postern_x'].includes(name));
        expect(names).toEqual(expected);
      }),
    );
  });
});
