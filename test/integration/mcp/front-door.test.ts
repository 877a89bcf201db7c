import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import type { UserId } from '../../../src/users/model.ts';
import { fixtureBackend } from '../../support/mcp-backend.ts';
import { initialize, LegacyClient, sendRaw } from '../../support/mcp-client.ts';
import { MCP_ORIGIN, type TemporaryFront, temporaryFront } from '../../support/mcp-front.ts';
import { until } from '../../support/until.ts';

let site: TemporaryFront;
let userId: UserId;
let token: string;

beforeAll(async () => {
  site = await temporaryFront({
    config: { allowed_origins: ['https://inspector.example.net'] },
    backends: (origin) => [
      fixtureBackend('one', origin),
      fixtureBackend('two', origin),
      fixtureBackend('closed', origin, { mayUse: () => false }),
    ],
  });
  userId = await site.things.addUser();
  ({ token } = await site.grant(userId));
});
afterAll(() => site[Symbol.asyncDispose]());

const one = () => `${site.url}/one`;

describe('without the right token', () => {
  const metadata = `${MCP_ORIGIN}/.well-known/oauth-protected-resource/mcp/one`;

  test('the challenge names the metadata and the scope, once each', async () => {
    const response = await sendRaw(one(), { body: initialize() });
    expect(response.status).toBe(401);
    const challenge = response.headers.get('www-authenticate') ?? '';
    expect(challenge).toBe(`Bearer resource_metadata="${metadata}", scope="mcp:one"`);
    expect(site.broker.calls).toHaveLength(0);
  });

  test.each([
    ['a token of another backend', async () => (await site.grant(userId, 'two')).token],
    ['a raw upstream token', async () => 'gho_16C7e42F292c6912E7710c838347Ae178B4a'],
    ['nothing after Bearer', async () => ''],
    ['a cookie of a browser session', async () => (await site.things.signIn(userId)).token as string],
    [
      'a personal token',
      async () => {
        const { things } = site;
        const { session } = await things.signIn(userId);
        const made = await things.db.write((tx) =>
          things.ledger.openPersonalToken(tx, {
            issuedBy: session.id,
            label: 'script',
            audience: session.audience,
            expiresAt: things.clock.now() + 60_000,
            origin: { provider: undefined, providerSid: undefined, address: undefined, userAgent: undefined },
          }),
        );
        return made.token;
      },
    ],
  ])('%s is refused', async (_what, tokenOf) => {
    const response = await sendRaw(one(), { token: await tokenOf(), body: initialize() });
    expect(response.status).toBe(401);
    const challenge = response.headers.get('www-authenticate') ?? '';
    expect(challenge.match(/resource_metadata=/g)).toHaveLength(1);
    expect(challenge.match(/scope=/g)).toHaveLength(1);
    expect(challenge).toStartWith('Bearer error="invalid_token", ');
    expect(site.broker.calls).toHaveLength(0);
  });

  test('a token in the query is refused, also beside a good one', async () => {
    const query = `?access_token=${token}`;
    for (const given of [undefined, token]) {
      const response = await sendRaw(one(), { query, token: given, body: initialize() });
      expect(response.status).toBe(401);
    }
    expect(JSON.stringify(site.things.log.lines)).not.toContain(token);
  });

  test('a token of another backend is noted', async () => {
    const { token: other } = await site.grant(userId, 'two');
    await sendRaw(one(), { token: other, body: initialize() });
    await until('the row is written', () =>
      site.things.auditStore
        .list({ limit: 10 })
        .some(({ action, detail }) => action === 'mcp.denied' && detail?.['reason'] === 'other_audience'),
    );
  });

  test('who may not use the server hears so', async () => {
    const { token: mine } = await site.grant(userId, 'closed');
    const response = await sendRaw(`${site.url}/closed`, { token: mine, body: initialize() });
    expect(response.status).toBe(403);
    expect(await response.json()).toMatchObject({ code: 'mcp_not_allowed' });
  });

  test('a revoked grant is refused at once', async () => {
    const { id, token: mine } = await site.grant(userId);
    const client = await LegacyClient.connect(one(), mine);
    await site.things.ledger.end(id, { reason: 'ended_by_user' });
    expect((await client.call('echo', { text: 'x' })).status).toBe(401);
  });
});

describe('before anything is looked at', () => {
  test('another Host is 421', async () => {
    const headers = { host: 'evil.example.com' };
    expect((await sendRaw(one(), { token, headers, body: initialize() })).status).toBe(421);
  });

  test.each(['https://evil.example.com', 'null', 'http://auth.example.com'])(
    'Origin %s is 403',
    async (origin) => {
      const response = await sendRaw(one(), { token, headers: { origin }, body: initialize() });
      expect(response.status).toBe(403);
      expect(response.headers.has('access-control-allow-origin')).toBe(false);
    },
  );

  test('an unknown backend is 404, a method that nobody serves 405', async () => {
    expect((await sendRaw(`${site.url}/three`, { token, body: initialize() })).status).toBe(404);
    const response = await sendRaw(one(), { method: 'PUT', token, body: {} });
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('GET, POST, DELETE, OPTIONS');
  });

  test('a body that is too large, or no JSON by its type', async () => {
    const large = await sendRaw(one(), { token, body: { padding: 'x'.repeat(70_000) } });
    expect(large.status).toBe(413);
    const form = await sendRaw(one(), { token, body: '{}', headers: { 'content-type': 'text/plain' } });
    expect(form.status).toBe(415);
  });

  test('a body of unknown length is counted while it comes', async () => {
    const chunk = new TextEncoder().encode('x'.repeat(20_000));
    const body = new ReadableStream({
      start(controller) {
        for (let count = 0; count < 5; count++) controller.enqueue(chunk);
        controller.close();
      },
    });
    const response = await fetch(one(), {
      method: 'POST',
      body,
      headers: {
        host: 'auth.example.com',
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
      },
    });
    expect(response.status).toBe(413);
  });
});

describe('pages of other origins', () => {
  test('ask first, and need no token for that', async () => {
    const response = await sendRaw(one(), {
      method: 'OPTIONS',
      headers: {
        origin: 'https://inspector.example.net',
        'access-control-request-method': 'POST',
        'access-control-request-headers':
          'authorization, mcp-session-id, mcp-param-region, Mcp-Param-Top_K, x-evil',
      },
    });
    expect(response.status).toBe(204);
    expect(response.headers.get('access-control-allow-origin')).toBe('https://inspector.example.net');
    const allowed = response.headers.get('access-control-allow-headers') ?? '';
    expect(allowed).toContain('mcp-session-id');
    expect(allowed).toContain('mcp-param-region');
    expect(allowed).toContain('mcp-param-top_k');
    expect(allowed).not.toContain('x-evil');
  });

  test('may read answers and refusals, with the headers that they need', async () => {
    const headers = { origin: 'https://inspector.example.net' };
    for (const given of [token, undefined]) {
      const response = await sendRaw(one(), { token: given, headers, body: initialize() });
      expect(response.status).toBe(given === undefined ? 401 : 200);
      expect(response.headers.get('access-control-allow-origin')).toBe(headers.origin);
      const exposed = response.headers.get('access-control-expose-headers');
      expect(exposed).toContain('Mcp-Session-Id');
      expect(exposed).toContain('WWW-Authenticate');
    }
  });

  test('that are not allowed are refused in the preflight', async () => {
    const headers = { origin: 'https://evil.example.com', 'access-control-request-method': 'POST' };
    expect((await sendRaw(one(), { method: 'OPTIONS', headers })).status).toBe(403);
  });
});

describe('what is no message', () => {
  const deep = `${'['.repeat(300)}${']'.repeat(300)}`;

  test.each([
    ['not JSON', '{"jsonrpc":', -32_700],
    ['nothing', '', -32_700],
    ['a batch', '[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32_600],
    ['an empty batch', '[]', -32_600],
    ['a number', '1', -32_600],
    ['another protocol', '{"jsonrpc":"1.0","id":1,"method":"ping"}', -32_600],
    ['a method that is no text', '{"jsonrpc":"2.0","id":1,"method":7}', -32_600],
    ['an id that is null', '{"jsonrpc":"2.0","id":null,"method":"ping"}', -32_600],
    ['an id that is an object', '{"jsonrpc":"2.0","id":{},"method":"ping"}', -32_600],
    ['params that are a list', '{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}', -32_600],
    [
      'both result and error',
      '{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":""}}',
      -32_600,
    ],
    ['no method and no id', '{"jsonrpc":"2.0"}', -32_600],
    ['deep nesting', `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":${deep}}}`, -32_600],
  ])('%s is 400 with the right code', async (_what, body, code) => {
    const response = await sendRaw(one(), { token, body, headers: { 'content-type': 'application/json' } });
    expect(response.status).toBe(400);
    const answer = (await response.json()) as { error: { code: number }; id: unknown };
    expect(answer.error.code).toBe(code);
  });

  test('brackets in text are no nesting', async () => {
    const text = `\\"${'['.repeat(400)}\\\\`;
    const body = `{"jsonrpc":"2.0","id":5,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"x":"${text}"}}`;
    const headers = { 'content-type': 'application/json' };
    expect((await sendRaw(one(), { token, body, headers })).status).toBe(200);
  });
});
