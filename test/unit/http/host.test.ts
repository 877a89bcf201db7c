import { describe, expect, test } from 'bun:test';
import { requestHost, unknownHost } from '../../../src/http/host.ts';
import { parseOrigin } from '../../../src/http/origin.ts';

const withHost = (host: string | undefined) =>
  new Request('https://auth.example.com/', { headers: host === undefined ? {} : { host } });

describe('the host of a request', () => {
  test.each([
    ['auth.example.com', true, 'auth.example.com'],
    ['AUTH.Example.COM', true, 'auth.example.com'],
    ['auth.example.com:443', true, 'auth.example.com'],
    ['auth.example.com:443', false, 'auth.example.com:443'],
    ['auth.example.com:80', false, 'auth.example.com'],
    ['auth.example.com:8443', true, 'auth.example.com:8443'],
    ['localhost:7400', false, 'localhost:7400'],
    ['[::1]:7400', false, '[::1]:7400'],
    ['127.0.0.1', false, '127.0.0.1'],
    ['auth.example.com.', true, 'auth.example.com.'],
  ])('%s (https: %p) is %s', (host, secure, expected) => {
    expect(requestHost(withHost(host), secure)).toBe(expected);
  });

  test.each([
    undefined,
    '',
    'a',
    'ab',
    'abc',
    'a.example, b.example',
    'a.example,b.example',
    'a b.example',
    'user@a.example',
    'a.example/path',
    'a.example?q',
    'a.example#f',
    'a.example\\b',
    'a.example:',
    'a.example:port',
    'a.example:123456',
    '.example.com',
    '-a.example',
    '[::1',
    '::1:80',
    'a.example:80:80',
    '%61.example',
    'http://a.example',
    'a'.repeat(300),
  ])('is not %p', (host) => {
    expect(() => requestHost(withHost(host), true)).toThrow(
      expect.objectContaining({ kind: 'bad_request', code: 'malformed_host' }),
    );
  });
});

describe('who asks for a host that is not served', () => {
  const message = (url: string) => unknownHost(parseOrigin(url)).message;

  test('is told the right one where that is this very machine', () => {
    expect(message('http://localhost:7400')).toBe(
      'No such host is served here. Open http://localhost:7400 instead.',
    );
    expect(message('http://127.0.0.1:7400')).toEndWith('Open http://127.0.0.1:7400 instead.');
  });

  test('is told nothing of a public name', () => {
    expect(message('https://auth.example.org')).toBe('No such host is served here.');
  });
});
