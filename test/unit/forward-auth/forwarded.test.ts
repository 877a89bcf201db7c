import { describe, expect, test } from 'bun:test';
import { pathOf, readForwarded, readNginxForwarded } from '../../../src/forward-auth/forwarded.ts';

const caddy = {
  'x-forwarded-method': 'GET',
  'x-forwarded-proto': 'https',
  'x-forwarded-host': 'app.example.test',
  'x-forwarded-uri': '/page?x=1',
};
const nginx = { 'x-original-method': 'GET', 'x-original-url': 'https://app.example.test/page?x=1' };
const asked = { method: 'GET', secure: true, host: 'app.example.test', target: '/page?x=1' };

describe('Caddy and Traefik', () => {
  test('tell the request by X-Forwarded headers', () => {
    expect(readForwarded(caddy)).toEqual(asked);
  });

  test.each([
    ['https', true],
    ['wss', true],
    ['http', false],
    ['ws', false],
  ])('%s: secure is %p', (scheme, secure) => {
    expect(readForwarded({ ...caddy, 'x-forwarded-proto': scheme })?.secure).toBe(secure);
  });

  test.each(Object.keys(caddy))('must send %s', (name) => {
    expect(readForwarded({ ...caddy, [name]: undefined })).toBeUndefined();
  });

  test.each(['', 'ftp', 'HTTPS', 'https, http', 'https '])('may not call the scheme %j', (scheme) => {
    expect(readForwarded({ ...caddy, 'x-forwarded-proto': scheme })).toBeUndefined();
  });

  test('are not read by the headers of nginx', () => {
    expect(readForwarded(nginx)).toBeUndefined();
  });
});

describe('nginx', () => {
  test('tells the request by X-Original headers', () => {
    expect(readNginxForwarded(nginx)).toEqual(asked);
    expect(readNginxForwarded({ ...nginx, 'x-original-url': 'http://app.localhost:8080/' })).toEqual({
      method: 'GET',
      secure: false,
      host: 'app.localhost:8080',
      target: '/',
    });
  });

  test.each(Object.keys(nginx))('must send %s', (name) => {
    expect(readNginxForwarded({ ...nginx, [name]: undefined })).toBeUndefined();
  });

  test.each(['', '/page', 'https://app.example.test', 'ftp://app.example.test/', '//app.example.test/'])(
    'may not call the URL %j',
    (url) => {
      expect(readNginxForwarded({ ...nginx, 'x-original-url': url })).toBeUndefined();
    },
  );

  test('is not read by the headers of the others', () => {
    expect(readNginxForwarded(caddy)).toBeUndefined();
    expect(
      readNginxForwarded({ ...caddy, ...nginx, 'x-original-url': 'https://other.example.test/' })?.host,
    ).toBe('other.example.test');
  });

  test('a user before the host stays part of it, so that no rule is found', () => {
    const url = 'https://app.example.test@evil.example.test/';
    expect(readNginxForwarded({ ...nginx, 'x-original-url': url })?.host).toBe(
      'app.example.test@evil.example.test',
    );
  });
});

test('the path of a target ends at its first question mark', () => {
  expect(pathOf('/a')).toBe('/a');
  expect(pathOf('/a?b?c')).toBe('/a');
  expect(pathOf('?b')).toBe('');
});
