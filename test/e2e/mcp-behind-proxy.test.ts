import { expect, setDefaultTimeout, test } from 'bun:test';
import { compiledSite } from '../support/compiled-site.ts';
import { fetchMapped, MappedBrowser } from '../support/mapped-browser.ts';
import { authorizeByScript } from '../support/mcp-oauth.ts';
import { connectClient } from '../support/mcp-sdk.ts';
import { AUTH_URL } from '../support/protected-site.ts';

/** MCP through the proxies of the guides, by https: the whole OAuth flow, calls, and streams that nothing keeps back. */

setDefaultTimeout(60_000);

const PROXIES = ['caddy', 'nginx'] as const;

test.each(PROXIES)('%s passes clients of both eras on to the built-in server', async (name) => {
  await using site = await compiledSite(name);
  const reach = (url: string | URL, init?: RequestInit) => fetchMapped(site.mapping, new URL(url), init);
  const { provider } = site;
  const where = { resource: (backend: string) => new URL(`/mcp/${backend}`, AUTH_URL).href };
  const person = (subject: string) => {
    const browser = new MappedBrowser(site.mapping);
    return { authorize: (url: string | URL) => authorizeByScript({ browser, provider, subject }, url) };
  };

  await using modern = await connectClient('auto', reach)(where, person('ada'), 'whoami');
  expect(await modern.tools()).toEqual(['whoami']);
  expect(await modern.call('whoami')).toContain('ada');
  expect(modern.protocolVersion).toBe('2026-07-28');

  await using legacy = await connectClient('legacy', reach)(where, person('kim'), 'whoami');
  expect(await legacy.call('whoami')).toContain('kim');
  const stream = await reach(where.resource('whoami'), {
    headers: {
      authorization: `Bearer ${legacy.tokens()?.access_token ?? ''}`,
      accept: 'text/event-stream',
      'mcp-session-id': legacy.protocolSessionId ?? '',
    },
  });
  expect(stream.status).toBe(200);
  // The first line arrives although nothing is to be told yet.
  const reader = stream.body?.getReader();
  const first = await reader?.read();
  expect(first?.value?.byteLength ?? 0).toBeGreaterThan(0);
  await reader?.cancel();
});

test.each(PROXIES)('%s passes the challenge and the metadata on as they are', async (name) => {
  await using site = await compiledSite(name);
  const response = await fetchMapped(site.mapping, new URL('/mcp/whoami', AUTH_URL), { method: 'POST' });
  expect(response.status).toBe(401);
  const { origin } = new URL(AUTH_URL);
  const metadata = `${origin}/.well-known/oauth-protected-resource/mcp/whoami`;
  expect(response.headers.get('www-authenticate')).toContain(`resource_metadata="${metadata}"`);
  const described = await fetchMapped(site.mapping, new URL(metadata));
  expect(await described.json()).toMatchObject({
    resource: `${origin}/mcp/whoami`,
    authorization_servers: [origin],
  });
});
