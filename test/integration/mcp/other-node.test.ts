import { describe, expect, test } from 'bun:test';
import { temporaryFront } from '../../support/mcp-front.ts';
import { elsewhere } from '../../support/roles.ts';

const PAGE = 'https://page.example.com';
const CALL = { jsonrpc: '2.0', id: 1, method: 'tools/list' };

describe('a node that is not the broker', () => {
  const open = (holder: string | undefined) =>
    temporaryFront({ brokerRole: elsewhere('broker', holder), config: { allowed_origins: [PAGE] } });
  const send = (url: string, method: string, headers: Record<string, string> = {}) =>
    fetch(`${url}/one`, {
      method,
      headers: { host: 'auth.example.com', 'content-type': 'application/json', ...headers },
      ...(method === 'POST' && { body: JSON.stringify(CALL) }),
    });

  test.each(['POST', 'GET', 'DELETE'])('names the one that is, at %s, whoever asks', async (method) => {
    await using front = await open('pi-1');
    const { token } = await front.grant(await front.things.addUser());
    for (const headers of [{}, { authorization: `Bearer ${token}` }]) {
      const answer = await send(front.url, method, headers);
      expect([answer.status, answer.headers.get('content-type')]).toEqual([421, 'application/problem+json']);
      expect(answer.headers.get('www-authenticate')).toBeNull();
      expect(await answer.json()).toMatchObject({ code: 'other_node', role: 'broker', node: 'pi-1' });
    }
  });

  test('says so to pages that may ask, and answers what is about no message', async () => {
    await using front = await open('pi-1');
    const answer = await send(front.url, 'POST', { origin: PAGE });
    expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([421, PAGE]);
    expect((await send(front.url, 'POST', { origin: 'https://evil.example.com' })).status).toBe(403);
    expect((await send(front.url, 'PUT')).status).toBe(405);
    expect(
      (await send(front.url, 'OPTIONS', { origin: PAGE, 'access-control-request-method': 'POST' })).status,
    ).toBe(204);
  });

  test('asks for patience while none is', async () => {
    await using front = await open(undefined);
    const answer = await send(front.url, 'POST');
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '5']);
    expect(await answer.json()).toMatchObject({ code: 'role_vacant', role: 'broker' });
  });
});
