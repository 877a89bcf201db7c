import { describe, expect, test } from 'bun:test';
import {
  isAcceptableRedirectUri,
  isSameRedirectUri,
  redirectHost,
  withResponse,
} from '../../../src/authorization-server/redirect-uri.ts';

describe('two redirect URIs are one', () => {
  test.each([
    ['https://a.example/cb', 'https://a.example/cb'],
    ['http://127.0.0.1/cb', 'http://127.0.0.1:5123/cb'],
    ['http://127.0.0.1:80/cb', 'http://127.0.0.1:5123/cb'],
    ['http://[::1]/cb?x=1', 'http://[::1]:9/cb?x=1'],
    ['http://localhost:3000', 'http://localhost'],
    ['cursor://anysphere.cursor-mcp/cb', 'cursor://anysphere.cursor-mcp/cb'],
  ])('%s and %s', (one, other) => expect(isSameRedirectUri(one, other)).toBe(true));
});

describe('two redirect URIs differ', () => {
  test.each([
    ['https://a.example/cb', 'https://a.example:8443/cb'],
    ['https://a.example/cb', 'https://a.example/cb/'],
    ['https://a.example/cb', 'https://a.example/CB'],
    ['https://a.example/cb', 'https://a.example/cb?x=1'],
    ['https://a.example/cb', 'https://a.example/x/../cb'],
    ['https://localhost/cb', 'https://localhost:1/cb'],
    ['http://127.0.0.1/cb', 'http://localhost/cb'],
    ['http://127.0.0.1/cb', 'http://127.0.0.1/cb2'],
    ['http://127.0.0.1/cb', 'https://127.0.0.1/cb'],
    ['http://127.0.0.1/cb', 'http://127.0.0.1:1@evil.example/cb'],
    ['http://127.0.0.1/cb', 'http://127.0.0.1.evil.example/cb'],
    ['http://127.0.0.1/cb', 'http://127.0.0.2/cb'],
    ['http://127.0.0.1/cb', 'http://127.0.0.1:123456/cb'],
    ['http://127.0.0.1/cb', 'http://127.0.0.1:65536/cb'],
    ['cursor://one/cb', 'cursor://two/cb'],
  ])('%s and %s', (one, other) => expect(isSameRedirectUri(one, other)).toBe(false));
});

describe('a client may register', () => {
  test.each([
    'https://a.example/cb?x=1',
    'http://127.0.0.1:33418/',
    'http://localhost/callback',
    'http://[::1]:1/cb',
    'cursor://anysphere.cursor-mcp/oauth/callback',
    'vscode://vscode.github-authentication/did-authenticate',
  ])('%s', (uri) => expect(isAcceptableRedirectUri(uri, ['cursor', 'vscode'])).toBe(true));
});

describe('a client may not register', () => {
  test.each([
    '',
    '/cb',
    'a.example/cb',
    'https://',
    'https:a.example',
    'https:///a.example',
    'http://a.example/cb',
    'http://localhost.a.example/cb',
    'https://user@a.example/cb',
    'https://a.example/cb#fragment',
    'https://a.example/cb\u0000',
    'https://a.example/c b',
    'https://ä.example/cb',
    'https://a.example\\@b.example/',
    'javascript:alert(1)',
    'cursor:',
    'CURSOR://x',
    'cursorx://x',
    'zed://x',
    `https://a.example/${'a'.repeat(2_048)}`,
  ])('%j', (uri) => expect(isAcceptableRedirectUri(uri, ['cursor', 'vscode'])).toBe(false));
});

test('what people see of a redirect URI is where it leads', () => {
  expect(redirectHost('https://a.example:8443/a.good.example')).toBe('a.example:8443');
  expect(redirectHost('http://127.0.0.1:5123/cb')).toBe('this computer (127.0.0.1:5123)');
  expect(redirectHost('cursor://anysphere/cb')).toBe('the program that opens cursor:// links');
});

test('a response is added to the query that is there', () => {
  const added = { code: 'a b', state: undefined, iss: 'https://x' };
  expect(withResponse('https://a.example/cb', added)).toBe(
    'https://a.example/cb?code=a+b&iss=https%3A%2F%2Fx',
  );
  expect(withResponse('https://a.example/cb?x=1', { code: 'c' })).toBe('https://a.example/cb?x=1&code=c');
});
