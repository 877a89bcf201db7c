import { describe, expect, test } from 'bun:test';
import { MAX_RETURN_LENGTH } from '../../../src/forward-auth/constants.ts';
import { isPosternPath, returnPathOf, startUrl } from '../../../src/forward-auth/start-url.ts';

const host = 'https://app.example.test';

test.each([
  '/',
  '/page',
  '/page?a=1&b=2',
  '/page?to=/x?y',
  '/search?q=a+b%20c&x=%26',
  '/p%C3%A4th?q=%F0%9F%99%82',
])('%s comes back from its start as it was', (target) => {
  const url = startUrl(host, target);
  expect(url).toBe(`${host}/.postern/start?${target}`);
  expect(returnPathOf(new Request(url).url)).toBe(target);
});

describe('what would not survive in a URL is escaped', () => {
  test.each([
    ['/a?b#c', '/a?b%23c'],
    ['/a?b c', '/a?b%20c'],
    ['/a?b\xc3\xa4', '/a?b%C3%A4'],
    ['/a?b\r\nc', '/a?b%0D%0Ac'],
  ])('%j', (target, escaped) => {
    expect(startUrl(host, target)).toBe(`${host}/.postern/start?${escaped}`);
  });
});

describe('what leads nowhere comes back to the first page', () => {
  test.each([
    ['nothing', ''],
    ['an empty query', '?'],
    ['another host', '?https://evil.example.test/'],
    ['another host without a scheme', '?//evil.example.test/'],
    ['a backslash', '?/\\evil.example.test/'],
    ['dots', '?/a/../b'],
    ['ourselves', '?/.postern/start?/x'],
    ['too long a path', `?/${'a'.repeat(MAX_RETURN_LENGTH)}`],
  ])('%s', (_what, query) => {
    expect(returnPathOf(`${host}/.postern/start${query}`)).toBe('/');
  });

  test('and is not carried along', () => {
    expect(startUrl(host, `/${'a'.repeat(MAX_RETURN_LENGTH)}`)).toBe(`${host}/.postern/start?/`);
  });
});

test.each([
  ['/.postern', true],
  ['/.postern/start', true],
  ['/.posterns', false],
  ['/x/.postern/', false],
])('%s is ours: %p', (path, ours) => {
  expect(isPosternPath(path)).toBe(ours);
});
