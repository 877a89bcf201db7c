import { describe, expect, test } from 'bun:test';
import { type OauthSite, oauthSite, testResource } from '../../support/authorization-server.ts';
import { TEST_ORIGIN } from '../../support/ledger.ts';
import {
  callbackOf,
  destinationOf,
  oauthClient,
  REDIRECT_URI,
  VERIFIER,
} from '../../support/oauth-client.ts';

const errorOf = async (answer: Response) => ((await answer.json()) as { error?: string }).error;

describe('an authorization request', () => {
  const ask = async (changes: Readonly<Record<string, string | undefined>>, more = '') => {
    await using site = oauthSite({ resources: [testResource('files'), testResource('mail')] });
    const client = oauthClient(site);
    const session = await site.base.signIn(await site.base.addUser());
    const { client_id: clientId } = await client.register();
    return await site.fetch(client.authorizePath(clientId, changes) + more, { session });
  };

  test.each([
    ['another response type', { response_type: 'token' }, 'unsupported_response_type'],
    ['no response type', { response_type: undefined }, 'invalid_request'],
    ['another response mode', { response_mode: 'fragment' }, 'invalid_request'],
    ['no PKCE', { code_challenge: undefined, code_challenge_method: undefined }, 'invalid_request'],
    ['PKCE plain', { code_challenge: VERIFIER, code_challenge_method: 'plain' }, 'invalid_request'],
    ['PKCE without a method, which is plain', { code_challenge_method: undefined }, 'invalid_request'],
    ['a challenge that is no hash', { code_challenge: 'short' }, 'invalid_request'],
    ['another resource', { resource: 'https://elsewhere.example/mcp' }, 'invalid_target'],
    ['the scope of another resource', { scope: 'mcp:mail' }, 'invalid_scope'],
    ['a scope that nobody knows', { scope: 'mcp:files admin' }, 'invalid_scope'],
    ['two scopes without a resource', { resource: undefined, scope: 'mcp:files mcp:mail' }, 'invalid_scope'],
    ['a malformed scope', { scope: 'mcp:"files"' }, 'invalid_scope'],
    ['a request object', { request: 'eyJ' }, 'invalid_request'],
    ['prompt none and another', { prompt: 'none login' }, 'invalid_request'],
    ['prompt none', { prompt: 'none' }, 'consent_required'],
  ])('with %s tells the client', async (_, changes, error) => {
    const callback = callbackOf(await ask(changes));
    expect(callback.get('error')).toBe(error);
    expect(callback.get('state')).toBe('the state');
    expect(callback.get('iss')).toBe(TEST_ORIGIN);
  });

  test('with two resources, or a parameter twice, tells the client', async () => {
    const second = `&resource=${encodeURIComponent(`${TEST_ORIGIN}/mcp/mail`)}`;
    expect(callbackOf(await ask({}, second)).get('error')).toBe('invalid_target');
    expect(callbackOf(await ask({}, '&scope=mcp:files&scope=mcp:files')).get('error')).toBe(
      'invalid_request',
    );
  });

  test.each([
    ['no redirect URI', { redirect_uri: undefined }],
    ['another host', { redirect_uri: 'https://evil.example/callback' }],
    ['another path', { redirect_uri: 'http://127.0.0.1:5123/callback2' }],
    ['another query', { redirect_uri: 'http://127.0.0.1:5123/callback?x=1' }],
    ['another name of loopback', { redirect_uri: 'http://localhost:5123/callback' }],
    ['loopback as a prefix', { redirect_uri: 'http://127.0.0.1:5123@evil.example/callback' }],
    ['a fragment', { redirect_uri: `${REDIRECT_URI}#x` }],
    ['a script', { redirect_uri: 'javascript:alert(1)' }],
  ])('with %s is answered here and goes nowhere', async (_, changes) => {
    const response = await ask(changes);
    expect(response.status).toBe(400);
    expect(destinationOf(response)).toBe('');
  });

  test('of nobody, of somebody unknown, or of two is answered here', async () => {
    await using site = oauthSite();
    const session = await site.base.signIn(await site.base.addUser());
    for (const query of ['', '?client_id=', '?client_id=cli_unknown', '?client_id=a&client_id=b']) {
      const response = await site.fetch(`/oauth/authorize${query}`, {
        session,
        headers: { accept: 'text/html' },
      });
      expect(response.status).toBe(400);
      expect(response.headers.get('content-type')).toContain('text/html');
    }
  });

  test('of a person who may not use the backend is denied', async () => {
    await using site = oauthSite({ resources: [testResource('files', { mayUse: () => false })] });
    const client = oauthClient(site);
    const session = await site.base.signIn(await site.base.addUser());
    const { client_id: clientId } = await client.register();
    const callback = callbackOf(await site.fetch(client.authorizePath(clientId), { session }));
    expect(callback.get('error')).toBe('access_denied');
  });

  test('with prompt none and nobody signed in is told to the client', async () => {
    await using site = oauthSite();
    const client = oauthClient(site);
    const { client_id: clientId } = await client.register();
    const callback = callbackOf(await site.fetch(client.authorizePath(clientId, { prompt: 'none' })));
    expect(callback.get('error')).toBe('login_required');
  });
});

describe('the token endpoint', () => {
  const post = (site: OauthSite, form: Readonly<Record<string, string>>, headers = {}) =>
    site.fetch('/oauth/token', { method: 'POST', body: new URLSearchParams(form), headers });

  test.each([
    ['no grant type', {}, 400, 'invalid_request'],
    ['another grant type', { grant_type: 'client_credentials' }, 400, 'unsupported_grant_type'],
    ['no client', { grant_type: 'refresh_token', refresh_token: 'x' }, 400, 'invalid_request'],
    ['a secret', { grant_type: 'refresh_token', client_id: 'a', client_secret: 's' }, 401, 'invalid_client'],
    [
      'an unknown client',
      { grant_type: 'refresh_token', client_id: 'a', refresh_token: 'x' },
      401,
      'invalid_client',
    ],
    ['no refresh token', { grant_type: 'refresh_token', client_id: 'a' }, 400, 'invalid_request'],
    ['no code', { grant_type: 'authorization_code', client_id: 'a' }, 400, 'invalid_request'],
  ])('with %s', async (_, form, status, error) => {
    await using site = oauthSite();
    const answer = await post(site, form);
    expect(answer.status).toBe(status);
    expect(answer.headers.get('content-type')).toBe('application/json');
    expect(answer.headers.get('access-control-allow-origin')).toBe('*');
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(await errorOf(answer)).toBe(error);
  });

  test('takes forms alone, each parameter once, and no more than it has to', async () => {
    await using site = oauthSite();
    const json = { 'content-type': 'application/json' };
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    const send = (body: string, headers: Record<string, string>) =>
      site.fetch('/oauth/token', { method: 'POST', body, headers });
    expect((await send('{}', json)).status).toBe(415);
    expect((await send('grant_type=a&grant_type=b', form)).status).toBe(400);
    expect((await send('grant_type=%zz', form)).status).toBe(400);
    expect((await send(`grant_type=${'a'.repeat(17_000)}`, form)).status).toBe(413);
    for (const answer of [await send('{}', json), await send('a=1&a=2', form)]) {
      expect(await errorOf(answer)).toBe('invalid_request');
    }
  });

  test('is POST alone, and answers a preflight', async () => {
    await using site = oauthSite();
    const get = await site.fetch('/oauth/token');
    expect(get.status).toBe(405);
    expect(get.headers.get('allow')).toBe('POST');
    const preflight = await site.fetch('/oauth/token', {
      method: 'OPTIONS',
      headers: { origin: 'https://inspector.example', 'access-control-request-method': 'POST' },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-origin')).toBe('*');
    expect(preflight.headers.has('access-control-allow-credentials')).toBe(false);
  });

  test('refuses a verifier that is missing or of another shape', async () => {
    await using site = oauthSite();
    const client = oauthClient(site);
    const session = await site.base.signIn(await site.base.addUser());
    const { client_id: clientId } = await client.register();
    const code = await client.authorize(clientId, session);
    expect(await errorOf(await client.redeem(clientId, code, { code_verifier: '' }))).toBe('invalid_request');
    expect(await errorOf(await client.redeem(clientId, code, { code_verifier: 'v' }))).toBe('invalid_grant');
  });

  test('refuses another resource and a wider scope, and spends nothing', async () => {
    await using site = oauthSite({ resources: [testResource('files'), testResource('mail')] });
    const client = oauthClient(site);
    const { clientId, tokens } = await client.connect();
    const mail = `${TEST_ORIGIN}/mcp/mail`;
    const refresh = (changes: Readonly<Record<string, string>>) =>
      client.refresh(clientId, tokens.refresh_token, changes);
    expect(await errorOf(await refresh({ resource: mail }))).toBe('invalid_target');
    expect(await errorOf(await refresh({ scope: 'mcp:mail' }))).toBe('invalid_scope');
    expect((await refresh({ scope: 'mcp:files offline_access' })).status).toBe(200);
  });

  test('looks at the person and at `allow` with every refresh', async () => {
    let allowed = true;
    await using site = oauthSite({ resources: [testResource('files', { mayUse: () => allowed })] });
    const client = oauthClient(site);
    const { clientId, tokens } = await client.connect();
    allowed = false;
    expect(await errorOf(await client.refresh(clientId, tokens.refresh_token))).toBe('invalid_grant');
    allowed = true;
    expect((await client.refresh(clientId, tokens.refresh_token)).status).toBe(200);
  });

  test('takes no access token for a refresh token, and no token of anything else', async () => {
    await using site = oauthSite();
    const client = oauthClient(site);
    const { clientId, tokens, session } = await client.connect();
    for (const token of [tokens.access_token, session.token, `${tokens.refresh_token}x`]) {
      expect(await errorOf(await client.refresh(clientId, token))).toBe('invalid_grant');
    }
  });

  test('is at the host of `url` alone', async () => {
    await using site = oauthSite();
    const response = await fetch(`http://127.0.0.1:${site.port}/oauth/token`, {
      method: 'POST',
      headers: { host: 'evil.example' },
    });
    expect(response.status).toBe(421);
  });
});

describe('registration', () => {
  const register = async (body: unknown, site: OauthSite, headers: Record<string, string> = {}) =>
    site.fetch('/oauth/register', {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });

  test.each([
    ['not JSON', '{', 'invalid_request'],
    ['no object', '[]', 'invalid_client_metadata'],
    ['no redirect URIs', {}, 'invalid_client_metadata'],
    ['an empty list of them', { redirect_uris: [] }, 'invalid_client_metadata'],
    ['numbers', { redirect_uris: [1] }, 'invalid_client_metadata'],
    [
      'too many',
      { redirect_uris: Array.from({ length: 21 }, (_, at) => `https://a.example/${at}`) },
      'invalid_client_metadata',
    ],
    ['http elsewhere', { redirect_uris: ['http://a.example/'] }, 'invalid_redirect_uri'],
    [
      'http on a name that begins like loopback',
      { redirect_uris: ['http://localhost.evil.example/'] },
      'invalid_redirect_uri',
    ],
    ['a fragment', { redirect_uris: ['https://a.example/#x'] }, 'invalid_redirect_uri'],
    ['a user', { redirect_uris: ['https://u@a.example/'] }, 'invalid_redirect_uri'],
    ['a script', { redirect_uris: ['javascript:alert(1)'] }, 'invalid_redirect_uri'],
    ['data', { redirect_uris: ['data:text/html,x'] }, 'invalid_redirect_uri'],
    ['a scheme of no known program', { redirect_uris: ['evil://callback'] }, 'invalid_redirect_uri'],
    ['a line break', { redirect_uris: ['https://a.example/\nx'] }, 'invalid_redirect_uri'],
    ['a relative one', { redirect_uris: ['/callback'] }, 'invalid_redirect_uri'],
    [
      'a client that signs',
      { redirect_uris: [REDIRECT_URI], token_endpoint_auth_method: 'private_key_jwt' },
      'invalid_client_metadata',
    ],
    [
      'another grant alone',
      { redirect_uris: [REDIRECT_URI], grant_types: ['client_credentials'] },
      'invalid_client_metadata',
    ],
    [
      'another response',
      { redirect_uris: [REDIRECT_URI], response_types: ['token'] },
      'invalid_client_metadata',
    ],
  ])('of %s is refused', async (_, body, error) => {
    await using site = oauthSite();
    const answer = await register(body, site);
    expect(answer.status).toBe(400);
    expect(await errorOf(answer)).toBe(error);
  });

  test('gives a public client, and no secret, whatever was asked for', async () => {
    await using site = oauthSite();
    const answer = await register(
      {
        redirect_uris: [
          'cursor://anysphere.cursor-mcp/oauth/callback',
          'http://[::1]/cb',
          'https://a.example/cb',
        ],
        token_endpoint_auth_method: 'client_secret_post',
      },
      site,
    );
    expect(answer.status).toBe(201);
    const client = await answer.json();
    expect(client).toMatchObject({
      token_endpoint_auth_method: 'none',
      client_name: 'A program without a name',
    });
    expect(Object.keys(client as object)).not.toContain('client_secret');
    expect(Object.keys(client as object)).not.toContain('registration_access_token');
  });

  test('of the same metadata is the same client', async () => {
    await using site = oauthSite();
    const uris = ['http://127.0.0.1/cb', 'https://a.example/cb'];
    const one = await (await register({ redirect_uris: uris, client_name: 'A' }, site)).json();
    const same = await (await register({ client_name: 'A', redirect_uris: uris.toReversed() }, site)).json();
    expect(same).toEqual({ ...(one as object), redirect_uris: uris.toReversed() });
    const other = (await (await register({ redirect_uris: uris, client_name: 'B' }, site)).json()) as {
      client_id: string;
    };
    expect(other.client_id).not.toBe((one as { client_id: string }).client_id);
  });

  test('again with another port of loopback is the same client', async () => {
    await using site = oauthSite();
    const answers = await Promise.all(
      [5001, 5002].map(async (port) =>
        (await register({ redirect_uris: [`http://127.0.0.1:${port}/cb`] }, site)).json(),
      ),
    );
    const [one, other] = answers as { client_id: string; redirect_uris: string[] }[];
    expect(other?.client_id).toBe(one?.client_id ?? '');
    expect(other?.redirect_uris).toEqual(['http://127.0.0.1:5002/cb']);
  });

  test('is limited per address, and in all', async () => {
    await using limited = oauthSite({ config: { registrations_per_address: 2 } });
    const uris = (at: number) => ({ redirect_uris: [`https://a.example/${at}`] });
    expect((await register(uris(1), limited)).status).toBe(201);
    expect((await register(uris(2), limited)).status).toBe(201);
    const refused = await register(uris(3), limited);
    expect(refused.status).toBe(429);
    expect(refused.headers.has('retry-after')).toBe(true);
    await using full = oauthSite({ config: { clients: 1 } });
    expect((await register(uris(1), full)).status).toBe(201);
    expect(await errorOf(await register(uris(2), full))).toBe('temporarily_unavailable');
    expect((await register(uris(1), full)).status).toBe(201);
  });
});

describe('revocation', () => {
  test('of what is unknown is no error, of another client’s token it is', async () => {
    await using site = oauthSite();
    const client = oauthClient(site);
    const { clientId, tokens } = await client.connect();
    const revoke = (form: Readonly<Record<string, string>>) => site.post('/oauth/revoke', form);
    expect((await revoke({ token: 'unknown', client_id: clientId })).status).toBe(200);
    expect((await revoke({ token: tokens.access_token, client_id: 'cli_other' })).status).toBe(400);
    expect((await revoke({ token: tokens.access_token })).status).toBe(400);
    expect((await revoke({ client_id: clientId })).status).toBe(400);
    expect((await client.refresh(clientId, tokens.refresh_token)).status).toBe(200);
  });
});

describe('introspection', () => {
  const SECRET = 'a secret of a resource server, long enough';
  const server = { id: 'gateway', secret: SECRET, backends: ['files'] };
  const basic = (id: string, secret: string) => `Basic ${btoa(`${id}:${secret}`)}`;
  const begin = () =>
    oauthSite({
      resources: [testResource('files'), testResource('mail')],
      config: { resource_server: [server] },
    });
  const introspect = (site: OauthSite, token: string, authorization?: string) =>
    site.fetch('/oauth/introspect', {
      method: 'POST',
      body: new URLSearchParams({ token }),
      ...(authorization !== undefined && { headers: { authorization } }),
    });

  test('tells a resource server about access tokens of its backends alone', async () => {
    await using site = begin();
    const client = oauthClient(site);
    const { clientId, tokens, session } = await client.connect();
    const asked = await introspect(site, tokens.access_token, basic('gateway', SECRET));
    expect(asked.headers.has('access-control-allow-origin')).toBe(false);
    expect(await asked.json()).toMatchObject({
      active: true,
      scope: 'mcp:files',
      client_id: clientId,
      sub: session.session.userId,
      aud: `${TEST_ORIGIN}/mcp/files`,
      iss: TEST_ORIGIN,
    });
    const inactive = [tokens.refresh_token, session.token, 'unknown'];
    for (const token of inactive) {
      expect(await (await introspect(site, token, basic('gateway', SECRET))).json()).toEqual({
        active: false,
      });
    }
    await site.base.ledger.endAll(session.session.userId, { reason: 'everywhere' });
    const after = await introspect(site, tokens.access_token, basic('gateway', SECRET));
    expect(await after.json()).toEqual({ active: false });
  });

  test('says nothing of another backend’s token', async () => {
    await using site = begin();
    const client = oauthClient(site);
    const session = await site.base.signIn(await site.base.addUser());
    const { client_id: clientId } = await client.register();
    const page = await site.fetch(client.authorizePath(clientId, { resource: `${TEST_ORIGIN}/mcp/mail` }), {
      session,
    });
    const code = callbackOf(await client.consent(page, session)).get('code') ?? '';
    const { access_token } = (await (await client.redeem(clientId, code)).json()) as { access_token: string };
    const asked = await introspect(site, access_token, basic('gateway', SECRET));
    expect(await asked.json()).toEqual({ active: false });
  });

  test('takes no other credentials', async () => {
    await using site = begin();
    const { tokens } = await oauthClient(site).connect();
    const wrong = [
      undefined,
      basic('gateway', 'wrong'),
      basic('other', SECRET),
      'Basic !',
      `Bearer ${tokens.access_token}`,
    ];
    for (const authorization of wrong) {
      const answer = await introspect(site, tokens.access_token, authorization);
      expect(answer.status).toBe(401);
      expect(answer.headers.get('www-authenticate')).toContain('Basic');
    }
  });
});
