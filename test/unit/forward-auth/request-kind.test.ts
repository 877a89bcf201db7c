import { describe, expect, test } from 'bun:test';
import {
  hasAcceptedOrigin,
  isFormOfPage,
  isTopLevelNavigation,
  needsOrigin,
} from '../../../src/forward-auth/request-kind.ts';
import type { Rule } from '../../../src/forward-auth/rules.ts';

const HTML = 'text/html,application/xhtml+xml,*/*;q=0.8';

describe('somebody looks at a page', () => {
  test.each([
    ['a navigation', 'GET', { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }],
    ['its HEAD', 'HEAD', { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }],
    ['an older browser', 'GET', { accept: HTML }],
  ])('%s', (_what, method, headers) => {
    expect(isTopLevelNavigation(method, headers)).toBe(true);
  });
});

describe('nobody looks at a page', () => {
  test.each<[string, string, Record<string, string>]>([
    ['a script', 'GET', { 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty', accept: HTML }],
    ['a frame', 'GET', { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe', accept: HTML }],
    ['an image', 'GET', { 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' }],
    ['a form', 'POST', { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document', accept: HTML }],
    ['a WebSocket', 'GET', { upgrade: 'websocket', accept: HTML }],
    ['a WebSocket without its Upgrade', 'GET', { 'sec-websocket-key': 'x', accept: HTML }],
    ['a program', 'GET', { accept: '*/*', 'user-agent': 'Mozilla/5.0' }],
    ['a program that says nothing', 'GET', {}],
    ['an old script', 'GET', { accept: HTML, 'x-requested-with': 'XMLHttpRequest' }],
  ])('%s', (_what, method, headers) => {
    expect(isTopLevelNavigation(method, headers)).toBe(false);
  });
});

test.each<[string, Record<string, string>, boolean]>([
  ['POST', { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }, true],
  ['POST', { accept: HTML }, true],
  ['POST', { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe', accept: HTML }, false],
  ['POST', { 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty', accept: HTML }, false],
  ['POST', { accept: '*/*' }, false],
  ['GET', { accept: HTML }, false],
])('%s %j is a form that somebody sent: %p', (method, headers, is) => {
  expect(isFormOfPage(method, headers)).toBe(is);
});

test.each<[string, Record<string, string>, boolean]>([
  ['GET', {}, false],
  ['HEAD', {}, false],
  ['OPTIONS', {}, false],
  ['POST', {}, true],
  ['DELETE', {}, true],
  ['CONNECT', {}, true],
  ['get', {}, true],
  ['GET', { upgrade: 'WebSocket' }, true],
  ['GET', { upgrade: 'h2c' }, false],
  ['GET', { 'sec-websocket-key': 'x' }, true],
  ['GET', { 'sec-websocket-version': '13' }, true],
])('%s %j must show its origin: %p', (method, headers, needs) => {
  expect(needsOrigin(method, headers)).toBe(needs);
});

describe('an origin', () => {
  const own = 'https://app.example.test';
  const rule = (allowedOrigins: string[], isPublic = false): Rule => ({
    path: '',
    isPublic,
    allowedOrigins,
    mayPass: () => true,
  });
  const plain = rule([]);

  test.each<[string, Record<string, string>, Rule[], boolean]>([
    ['its own', { origin: own }, [plain], true],
    ['its own, by fetch metadata', { 'sec-fetch-site': 'same-origin' }, [plain], true],
    ['a sibling', { origin: 'https://cam.example.test' }, [plain], false],
    [
      'a sibling, whatever fetch metadata says',
      { origin: 'https://cam.example.test', 'sec-fetch-site': 'same-origin' },
      [plain],
      false,
    ],
    ['a sibling, by fetch metadata', { 'sec-fetch-site': 'same-site' }, [plain], false],
    ['a stranger, by fetch metadata', { 'sec-fetch-site': 'cross-site' }, [plain], false],
    ['none at all', {}, [plain], false],
    ['null', { origin: 'null' }, [plain], false],
    ['another scheme', { origin: 'http://app.example.test' }, [plain], false],
    ['another port', { origin: `${own}:8443` }, [plain], false],
    ['one that the rule names', { origin: 'https://b.test' }, [rule(['https://b.test'])], true],
    [
      'one that only one of two rules names',
      { origin: 'https://b.test' },
      [rule(['https://b.test']), plain],
      false,
    ],
    [
      'one that the rule names, beside a public rule',
      { origin: 'https://b.test' },
      [rule(['https://b.test']), rule([], true)],
      true,
    ],
  ])('%s', (_what, headers, rules, accepted) => {
    expect(hasAcceptedOrigin(headers, own, rules)).toBe(accepted);
  });
});
