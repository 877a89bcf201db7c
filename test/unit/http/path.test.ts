import { describe, expect, test } from 'bun:test';
import { isBelow, isProgramPath, requestPath } from '../../../src/http/path.ts';

test.each([
  ['https://a.example/', '/'],
  ['https://a.example/x/y?z=/w#v', '/x/y'],
  ['https://a.example/x%2fy', '/x%2fy'],
  ['https://a.example//evil.example/x', '//evil.example/x'],
  ['https://a.example/?x', '/'],
  ['http://localhost:7400/a#b', '/a'],
])('the path of %s is %s', (url, path) => {
  expect(requestPath(new Request(url))).toBe(path);
});

describe('a path for programs', () => {
  test.each([
    '/api',
    '/api/v1/session',
    '/oauth/token',
    '/openapi.json',
    '/.well-known/x',
    '/backchannel-logout/google',
  ])('is %s', (path) => {
    expect(isProgramPath(path)).toBe(true);
  });

  test.each(['/', '/apiary', '/sign-in', '/devices', '/docs/api'])('is not %s', (path) => {
    expect(isProgramPath(path)).toBe(false);
  });
});

test('a prefix ends where a segment ends', () => {
  expect(isBelow('/api/v1', '/api/v1')).toBe(true);
  expect(isBelow('/api/v1/x', '/api/v1')).toBe(true);
  expect(isBelow('/api/v10', '/api/v1')).toBe(false);
});
