import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { safeReturnTo } from '../../../src/http/return-to.ts';

const LANDING = '/home';
const isApp = ({ origin }: URL) => origin === 'https://app.home' || origin === 'http://app.localhost:8080';
const returnTo = (value: string | null | undefined) => safeReturnTo(value, isApp, LANDING);

describe('a target of ours', () => {
  test.each([
    ['/', '/'],
    ['/sessions?a=1&b=%2F#c', '/sessions?a=1&b=%2F#c'],
    ['/a/../b', '/b'],
    ['/%2e%2e/b', '/b'],
    ['/a//b', '/a//b'],
    ['/?next=//evil.example', '/?next=//evil.example'],
    ['https://app.home/x?y#z', 'https://app.home/x?y#z'],
    ['HTTPS://APP.home/', 'https://app.home/'],
    ['https://app.home', 'https://app.home/'],
    ['http://app.localhost:8080/x', 'http://app.localhost:8080/x'],
  ])('%p is kept as %p', (value, expected) => {
    expect(returnTo(value)).toBe(expected);
  });
});

describe('anything else lands at home', () => {
  test.each([
    null,
    undefined,
    '',
    'sessions',
    '//evil.example',
    '///evil.example',
    '/\\evil.example',
    '\\\\evil.example',
    '/\t/evil.example',
    '/\n/evil.example',
    '\t//evil.example',
    ' //evil.example',
    '/.//evil.example',
    '/a/..//evil.example',
    '/%2e//evil.example',
    '/x\u0000',
    '/x\u007f',
    '/x\u0085',
    'https://evil.example/',
    'https://app.home.evil.example/',
    'https://evil-app.home/',
    'https://user@app.home/',
    'https://app.home@evil.example/',
    'https://:x@app.home/',
    'https:app.home',
    'https:/app.home',
    'https:///app.home',
    'https://app.home:8443/',
    'http://app.home/',
    'javascript:alert(1)',
    'JaVaScRiPt:alert(1)',
    'data:text/html,x',
    'ftp://app.home/',
    '/'.padEnd(5000, 'x'),
  ])('%p', (value) => {
    expect(returnTo(value)).toBe(LANDING);
  });

  test('whatever it is, a browser stays here or at a host that is allowed', () => {
    const piece = fc.constantFrom(
      '/',
      '\\',
      '.',
      '..',
      '//',
      ':',
      '@',
      '?',
      '#',
      '%2f',
      '%2e',
      '%5c',
      '\t',
      ' ',
      'evil.example',
      'https:',
      'http:',
      'app.home',
      'javascript:',
      'x',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.array(piece).map((pieces) => pieces.join('')),
          fc.string(),
        ),
        (value) => {
          const target = new URL(returnTo(value), 'https://auth.example.com/sign-in');
          expect(['https://auth.example.com', 'https://app.home', 'http://app.localhost:8080']).toContain(
            target.origin,
          );
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
