import { describe, expect, test } from 'bun:test';
import { resourceAudience } from '../../../src/sessions/audience.ts';
import { oauthSite, testResource } from '../../support/authorization-server.ts';
import { TEST_ORIGIN } from '../../support/ledger.ts';
import {
  CHALLENGE,
  callbackOf,
  destinationOf,
  hiddenFields,
  oauthClient,
  REDIRECT_URI,
  RESOURCE,
  type TokenAnswer,
} from '../../support/oauth-client.ts';

describe('the whole way of a client', () => {
  test('from the metadata to a refreshed token, and to its revocation', async () => {
    await using site = oauthSite();
    const client = oauthClient(site);
    const protectedResource = await (
      await site.fetch('/.well-known/oauth-protected-resource/mcp/files')
    ).json();
    expect(protectedResource).toMatchObject({
      resource: RESOURCE,
      authorization_servers: [TEST_ORIGIN],
      scopes_supported: ['mcp:files'],
    });
    const metadata = await (await site.fetch('/.well-known/oauth-authorization-server')).json();
    expect(metadata).toMatchObject({
      issuer: TEST_ORIGIN,
      code_challenge_methods_supported: ['S256'],
      authorization_response_iss_parameter_supported: true,
    });

    const session = await site.base.signIn(await site.base.addUser('ada'));
    const { client_id: clientId } = await client.register();
    const page = await site.fetch(client.authorizePath(clientId), { session });
    expect(page.status).toBe(200);
    const answer = await client.consent(page, session);
    expect(destinationOf(answer)).toStartWith(`${REDIRECT_URI}?`);
    const callback = callbackOf(answer);
    expect(callback.get('state')).toBe('the state');
    expect(callback.get('iss')).toBe(TEST_ORIGIN);

    const redeemed = await client.redeem(clientId, callback.get('code') ?? '');
    expect(redeemed.status).toBe(200);
    expect(redeemed.headers.get('cache-control')).toBe('no-store');
    expect(redeemed.headers.get('access-control-allow-origin')).toBe('*');
    const first = (await redeemed.json()) as TokenAnswer;
    expect(first).toMatchObject({ token_type: 'Bearer', expires_in: 3_600, scope: 'mcp:files' });
    const { ledger } = site.base;
    const speaksFor = (token: string) => ledger.authenticate(token, 'access', resourceAudience(RESOURCE));
    expect(await speaksFor(first.access_token)).toMatchObject({ ok: true, user: { username: 'ada' } });

    const refreshed = await client.refresh(clientId, first.refresh_token);
    const second = (await refreshed.json()) as TokenAnswer;
    expect(second.refresh_token).not.toBe(first.refresh_token);
    expect(await speaksFor(second.access_token)).toMatchObject({ ok: true });

    const revoked = await site.post('/oauth/revoke', { token: second.refresh_token, client_id: clientId });
    expect(revoked.status).toBe(200);
    for (const token of [first.access_token, second.access_token]) {
      expect(await speaksFor(token)).toMatchObject({ ok: false, reason: 'revoked' });
    }
    expect((await client.refresh(clientId, second.refresh_token)).status).toBe(400);
  });

  test('is good at its one resource alone', async () => {
    await using site = oauthSite({ resources: [testResource('files'), testResource('mail')] });
    const { tokens } = await oauthClient(site).connect();
    const at = (name: string) =>
      site.base.ledger.authenticate(
        tokens.access_token,
        'access',
        resourceAudience(`${TEST_ORIGIN}/mcp/${name}`),
      );
    expect(await at('files')).toMatchObject({ ok: true });
    expect(await at('mail')).toMatchObject({ ok: false, reason: 'other_audience' });
  });

  test('lets the person choose where the request names no resource', async () => {
    await using site = oauthSite({ resources: [testResource('files'), testResource('mail')] });
    const client = oauthClient(site);
    const session = await site.base.signIn(await site.base.addUser());
    const { client_id: clientId } = await client.register();
    const page = await site.fetch(client.authorizePath(clientId, { resource: undefined }), { session });
    const mail = { resource: `${TEST_ORIGIN}/mcp/mail` };
    const answer = await client.consent(page, session, mail);
    const redeemed = await client.redeem(clientId, callbackOf(answer).get('code') ?? '');
    expect(await redeemed.json()).toMatchObject({ scope: 'mcp:mail' });
  });

  test('takes the resource from the scope, and offline_access as nothing', async () => {
    await using site = oauthSite({ resources: [testResource('files'), testResource('mail')] });
    const client = oauthClient(site);
    const session = await site.base.signIn(await site.base.addUser());
    const { client_id: clientId } = await client.register();
    const asked = { resource: undefined, scope: 'mcp:mail offline_access' };
    const page = await site.fetch(client.authorizePath(clientId, asked), { session });
    const redeemed = await client.redeem(
      clientId,
      callbackOf(await client.consent(page, session)).get('code') ?? '',
    );
    expect(await redeemed.json()).toMatchObject({ scope: 'mcp:mail' });
  });

  test('goes through sign-in first, and comes back to the request as it was', async () => {
    await using site = oauthSite();
    const client = oauthClient(site);
    const { client_id: clientId } = await client.register();
    const path = client.authorizePath(clientId);
    const response = await site.fetch(path);
    expect(response.status).toBe(302);
    const { pathname, searchParams } = new URL(destinationOf(response), TEST_ORIGIN);
    expect(pathname).toBe('/sign-in');
    expect(searchParams.get('return_to')).toBe(`${path}&signed_in=1`);
    const session = await site.base.signIn(await site.base.addUser());
    const page = await site.fetch(`${path}&signed_in=1`, { session });
    expect(hiddenFields(await page.text())).toContainKey('request');
  });
});

describe('an account that has to be linked', () => {
  const linked = new Set<string>();
  const begin = async () => {
    linked.clear();
    const site = oauthSite({
      resources: [testResource('files', { provider: 'forge' })],
      isLinked: (userId) => linked.has(userId),
    });
    const client = oauthClient(site);
    const userId = await site.base.addUser();
    const session = await site.base.signIn(userId);
    const { client_id: clientId } = await client.register();
    const page = await site.fetch(client.authorizePath(clientId), { session });
    const onward = destinationOf(await client.consent(page, session));
    const continuing = new URL(onward, TEST_ORIGIN).searchParams.get('return_to') ?? '';
    return {
      site,
      client,
      userId,
      session,
      clientId,
      onward,
      continuing,
      [Symbol.asyncDispose]: site[Symbol.asyncDispose],
    };
  };

  test('comes after consent, and then the code', async () => {
    await using t = await begin();
    expect(t.onward).toStartWith('/account/links/forge?return_to=');
    linked.add(t.userId);
    const back = await t.site.fetch(t.continuing, { session: t.session });
    const redeemed = await t.client.redeem(t.clientId, callbackOf(back).get('code') ?? '');
    expect(redeemed.status).toBe(200);
    // Once: whoever opens the address again gets nothing.
    expect((await t.site.fetch(t.continuing, { session: t.session })).status).toBe(400);
  });

  test('is told to the client as access_denied when nobody linked it', async () => {
    await using t = await begin();
    const back = await t.site.fetch(t.continuing, { session: t.session });
    expect(callbackOf(back).get('error')).toBe('access_denied');
  });

  test('continues in the browser that consented alone', async () => {
    await using t = await begin();
    linked.add(t.userId);
    const other = await t.site.base.signIn(t.userId);
    expect((await t.site.fetch(t.continuing, { session: other })).status).toBe(400);
    expect(callbackOf(await t.site.fetch(t.continuing, { session: t.session })).has('code')).toBe(true);
  });

  test('is void once the session that consented has ended', async () => {
    await using t = await begin();
    linked.add(t.userId);
    await t.site.base.ledger.end(t.session.session.id, { reason: 'signed_out' });
    const again = await t.site.base.signIn(t.userId);
    expect((await t.site.fetch(t.continuing, { session: again })).status).toBe(400);
  });
});

describe('consent', () => {
  test('names the client in quotes and where it leads, and runs nothing of it', async () => {
    await using site = oauthSite();
    const client = oauthClient(site);
    const session = await site.base.signIn(await site.base.addUser());
    const { client_id: clientId } = await client.register({
      client_name: '<img src=x>\u202eevil\nname',
      redirect_uris: ['https://client.example/callback'],
      logo_uri: 'https://client.example/logo.png',
    });
    const path = client.authorizePath(clientId, { redirect_uri: 'https://client.example/callback' });
    const text = await (await site.fetch(path, { session })).text();
    expect(text).toContain('“&lt;img src=x&gt; evil name”');
    expect(text).toContain('>client.example</strong>');
    expect(text).not.toContain('logo.png');
  });

  test('is asked of a registered client every time', async () => {
    await using site = oauthSite();
    const client = oauthClient(site);
    const { session, clientId } = await client.connect();
    const page = await site.fetch(client.authorizePath(clientId), { session });
    expect(page.status).toBe(200);
    expect(hiddenFields(await page.text())).toContainKey('request');
  });

  test('that is refused is told to the client, and gives nothing', async () => {
    await using site = oauthSite();
    const client = oauthClient(site);
    const session = await site.base.signIn(await site.base.addUser());
    const { client_id: clientId } = await client.register();
    const page = await site.fetch(client.authorizePath(clientId), { session });
    const callback = callbackOf(await client.consent(page, session, { decision: 'deny' }));
    expect(callback.get('error')).toBe('access_denied');
    expect(callback.get('state')).toBe('the state');
    expect(callback.has('code')).toBe(false);
  });

  test('given in one browser is nothing in another', async () => {
    await using site = oauthSite();
    const client = oauthClient(site);
    const userId = await site.base.addUser();
    const session = await site.base.signIn(userId);
    const { client_id: clientId } = await client.register();
    const page = await site.fetch(client.authorizePath(clientId), { session });
    const fields = hiddenFields(await page.text());
    const other = await site.base.signIn(userId);
    const answer = await site.post('/oauth/authorize', { ...fields, decision: 'allow' }, other);
    expect(answer.status).toBe(400);
  });

  test('cannot be given by a page of somebody else, nor without a session', async () => {
    await using site = oauthSite();
    const client = oauthClient(site);
    const session = await site.base.signIn(await site.base.addUser());
    const { client_id: clientId } = await client.register();
    const page = await site.fetch(client.authorizePath(clientId), { session });
    const form = new URLSearchParams({ ...hiddenFields(await page.text()), decision: 'allow' });
    const headers = { origin: 'https://evil.example' };
    const init = { method: 'POST', body: form };
    expect((await site.fetch('/oauth/authorize', { ...init, headers, session })).status).toBe(403);
    expect((await site.fetch('/oauth/authorize', init)).status).toBe(401);
  });
});

test('a code challenge stands for its verifier', () => {
  expect(CHALLENGE).toHaveLength(43);
});
