import { describe, expect, test } from 'bun:test';
import { whoamiServer } from '../../../src/mcp/whoami.ts';

const PERSON = { id: 'usr_ada', username: 'ada', name: 'Ada Lovelace', email: 'ada@example.com' };
const answer = whoamiServer({ person: PERSON, version: '1.2.3' });
const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
};
const ask = (method: string, params: Record<string, unknown> = {}) =>
  answer({ jsonrpc: '2.0', id: 1, method, params });
const WORDS = 'You are signed in as Ada Lovelace (ada), ada@example.com.';

describe('an older client', () => {
  test.each([
    ['2025-06-18', '2025-06-18'],
    ['2025-11-25', '2025-11-25'],
    ['1999-01-01', '2025-11-25'],
    ['2026-07-28', '2025-11-25'],
  ])('that speaks %s is answered %s', (asked, spoken) => {
    const reply = ask('initialize', { protocolVersion: asked, capabilities: {}, clientInfo: {} });
    expect(reply).toMatchObject({ id: 1, result: { protocolVersion: spoken, capabilities: { tools: {} } } });
  });

  test('finds the tool and calls it', () => {
    expect(ask('tools/list')).toMatchObject({ result: { tools: [{ name: 'whoami' }] } });
    const { email: _email, ...rest } = PERSON;
    expect(ask('tools/call', { name: 'whoami' })).toEqual({
      jsonrpc: '2.0',
      id: 1,
      result: {
        content: [{ type: 'text', text: WORDS }],
        structuredContent: { ...rest, email: PERSON.email },
      },
    });
  });

  test('that asks server/discover learns that there is no such method', () => {
    expect(ask('server/discover')).toMatchObject({ error: { code: -32_601 } });
  });
});

describe('a client of today', () => {
  test('discovers, lists and calls', () => {
    expect(ask('server/discover', { _meta: META })).toMatchObject({
      result: {
        resultType: 'complete',
        supportedVersions: ['2026-07-28'],
        cacheScope: 'private',
        _meta: { 'io.modelcontextprotocol/serverInfo': { name: 'postern-whoami', version: '1.2.3' } },
      },
    });
    expect(ask('tools/list', { _meta: META })).toMatchObject({
      result: { resultType: 'complete', ttlMs: 3_600_000 },
    });
    expect(ask('tools/call', { name: 'whoami', _meta: META })).toMatchObject({
      result: { resultType: 'complete', content: [{ type: 'text', text: WORDS }] },
    });
  });

  test('of another revision learns which there are', () => {
    const _meta = { ...META, 'io.modelcontextprotocol/protocolVersion': '2027-01-01' };
    expect(ask('tools/list', { _meta })).toMatchObject({
      error: { code: -32_022, data: { supported: ['2026-07-28'], requested: '2027-01-01' } },
    });
  });

  test('finds nothing of older ones', () => {
    expect(ask('initialize', { _meta: META })).toMatchObject({ error: { code: -32_601 } });
    expect(ask('ping', { _meta: META })).toMatchObject({ error: { code: -32_601 } });
  });
});

test.each([
  ['garbage', undefined],
  ['a notification', { jsonrpc: '2.0', method: 'notifications/initialized' }],
  ['an answer', { jsonrpc: '2.0', id: 1, result: {} }],
  ['a batch', [{ jsonrpc: '2.0', id: 1, method: 'ping' }]],
])('nothing is said to %s', (_what, message) => {
  expect(answer(message)).toBeUndefined();
});

test.each(['toString', '__proto__', 'constructor'])('there is no method %s', (method) => {
  expect(ask(method)).toMatchObject({ error: { code: -32_601 } });
});

test('another tool there is not, and a person without name or address is told apart', () => {
  expect(ask('tools/call', { name: 'rm' })).toMatchObject({ error: { code: -32_602 } });
  const plain = whoamiServer({ person: { ...PERSON, name: '', email: '' }, version: '1' });
  expect(plain({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'whoami' } })).toMatchObject({
    result: { content: [{ text: 'You are signed in as ada.' }] },
  });
});
