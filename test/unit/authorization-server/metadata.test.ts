import { expect, test } from 'bun:test';
import { resourceMetadataUrl, wwwAuthenticate } from '../../../src/authorization-server/metadata.ts';
import { oauthSite, testResource } from '../../support/authorization-server.ts';
import { TEST_ORIGIN } from '../../support/ledger.ts';

const FILES = testResource('files');

test('a challenge names metadata and scope once each', () => {
  const metadata = `${TEST_ORIGIN}/.well-known/oauth-protected-resource/mcp/files`;
  expect(resourceMetadataUrl(FILES)).toBe(metadata);
  expect(wwwAuthenticate(FILES)).toBe(`Bearer resource_metadata="${metadata}", scope="mcp:files"`);
  expect(wwwAuthenticate(FILES, 'invalid_token')).toStartWith(
    'Bearer error="invalid_token", resource_metadata=',
  );
});

test('metadata comes from `url`, never from the request, and any page may read it', async () => {
  await using site = oauthSite();
  const paths = [
    '/.well-known/oauth-authorization-server',
    '/.well-known/oauth-protected-resource/mcp/files',
  ];
  for (const path of paths) {
    const response = await site.fetch(path, {
      headers: {
        'x-forwarded-host': 'evil.example',
        'x-forwarded-proto': 'http',
        origin: 'https://inspector.example',
      },
    });
    expect(response.status).toBe(200);
    expect(response.headers.get('access-control-allow-origin')).toBe('*');
    expect(response.headers.has('access-control-allow-credentials')).toBe(false);
    expect(await response.text()).not.toContain('evil');
    expect((await site.fetch(path, { method: 'HEAD' })).status).toBe(200);
    expect((await site.fetch(path, { method: 'OPTIONS' })).status).toBe(204);
    expect((await site.fetch(path, { method: 'POST' })).status).toBe(405);
  }
});

test('an unknown resource has no metadata', async () => {
  await using site = oauthSite();
  for (const path of ['/mcp/other', '/mcp', '/mcp/files/x', '']) {
    expect((await site.fetch(`/.well-known/oauth-protected-resource${path}`)).status).toBe(404);
  }
});

test('every endpoint that the metadata names is there', async () => {
  await using site = oauthSite();
  const metadata = (await (await site.fetch('/.well-known/oauth-authorization-server')).json()) as Record<
    string,
    unknown
  >;
  const endpoints = Object.entries(metadata).filter(([name]) => name.endsWith('_endpoint'));
  expect(endpoints).toHaveLength(5);
  for (const [, url] of endpoints) {
    expect(String(url)).toStartWith(`${TEST_ORIGIN}/oauth/`);
    expect((await site.fetch(new URL(String(url)).pathname)).status).not.toBe(404);
  }
});
