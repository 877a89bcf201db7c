import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { isDocumentClientId } from '../../../src/authorization-server/client-id-document.ts';
import { oauthSite, testResource } from '../../support/authorization-server.ts';
import { documentServer } from '../../support/hostile-documents.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import {
  callbackOf,
  destinationOf,
  hiddenFields,
  oauthClient,
  REDIRECT_URI,
  type TokenAnswer,
} from '../../support/oauth-client.ts';

let server: Awaited<ReturnType<typeof documentServer>>;
beforeAll(async () => {
  server = await documentServer();
});
afterAll(() => server[Symbol.asyncDispose]());

let made = 0;

/** A document at an address of its own. */
function publish(
  changes: Readonly<Record<string, unknown>> = {},
  answer: (body: string) => Response = asJson,
): string {
  const path = `/client-${++made}.json`;
  const document = {
    client_id: server.url(path),
    client_name: 'Document',
    redirect_uris: [REDIRECT_URI],
    ...changes,
  };
  server.answer(path, () => answer(JSON.stringify(document)));
  return server.url(path);
}

const asJson = (body: string) => new Response(body, { headers: { 'content-type': 'application/json' } });

const begin = async (config: Record<string, unknown> = {}, isLinkedSite = true) => {
  const clock = new ManualClock();
  const site = oauthSite({
    ledger: { clock },
    config,
    fetchDocument: server.fetchDocument,
    ...(isLinkedSite ? {} : { resources: [testResource('files', { provider: 'forge' })] }),
  });
  const client = oauthClient(site);
  const session = await site.base.signIn(await site.base.addUser());
  const ask = (clientId: string, changes: Readonly<Record<string, string>> = {}) =>
    site.fetch(client.authorizePath(clientId, changes), { session });
  return { site, client, session, ask, clock, [Symbol.asyncDispose]: () => site[Symbol.asyncDispose]() };
};

test('a client that is a document connects without registering', async () => {
  await using t = await begin();
  const clientId = publish();
  const page = await t.ask(clientId);
  expect(page.status).toBe(200);
  const code = callbackOf(await t.client.consent(page, t.session)).get('code') ?? '';
  const redeemed = await t.client.redeem(clientId, code);
  expect(redeemed.status).toBe(200);
  const { refresh_token } = (await redeemed.json()) as { refresh_token: string };
  const asked = server.asked.length;
  expect((await t.client.refresh(clientId, refresh_token)).status).toBe(200);
  expect(server.asked).toHaveLength(asked);
});

test('nobody is asked for a stranger', async () => {
  await using t = await begin();
  const clientId = publish();
  const asked = server.asked.length;
  const response = await t.site.fetch(t.client.authorizePath(clientId));
  expect(destinationOf(response)).toStartWith('/sign-in?');
  expect(server.asked).toHaveLength(asked);
});

describe('consent is spared', () => {
  const own = () => `${server.origin}/callback`;

  /** A client whose answers go to its own origin, and that was let connect once. */
  const connected = async (t: Awaited<ReturnType<typeof begin>>, redirectUris = [own()]) => {
    const clientId = publish({ redirect_uris: redirectUris });
    const answer = await t.client.consent(await t.ask(clientId, { redirect_uri: own() }), t.session);
    const code = callbackOf(answer).get('code') ?? '';
    const granted = await t.client.redeem(clientId, code, { redirect_uri: own() });
    return { clientId, tokens: (await granted.json()) as TokenAnswer };
  };

  test('where the answer goes by https to the origin of a document that is connected already', async () => {
    await using t = await begin();
    const { clientId } = await connected(t);
    const again = await t.ask(clientId, { redirect_uri: own() });
    expect(again.status).toBe(302);
    expect(callbackOf(again).has('code')).toBe(true);
  });

  test('not the first time: any site can publish a document and lead a browser here', async () => {
    await using t = await begin();
    const clientId = publish({ redirect_uris: [own()] });
    const asked = await t.ask(clientId, { redirect_uri: own() });
    expect(asked.status).toBe(200);
    expect(hiddenFields(await asked.text())).toContainKey('request');
    const silent = await t.ask(clientId, { redirect_uri: own(), prompt: 'none' });
    expect(callbackOf(silent).get('error')).toBe('consent_required');
  });

  test('not for another person, another document of that origin, nor once the connection has ended', async () => {
    await using t = await begin();
    const { clientId, tokens } = await connected(t);
    const other = await t.site.base.signIn(await t.site.base.addUser());
    const path = t.client.authorizePath(clientId, { redirect_uri: own() });
    expect((await t.site.fetch(path, { session: other })).status).toBe(200);
    const sibling = publish({ redirect_uris: [own()] });
    expect((await t.ask(sibling, { redirect_uri: own() })).status).toBe(200);

    await t.site.post('/oauth/revoke', { client_id: clientId, token: tokens.refresh_token });
    expect((await t.ask(clientId, { redirect_uri: own() })).status).toBe(200);
  });

  test('not before linking, which comes after it', async () => {
    await using t = await begin({}, false);
    const clientId = publish({ redirect_uris: [own()] });
    const page = await t.ask(clientId, { redirect_uri: own() });
    expect(destinationOf(await t.client.consent(page, t.session))).toStartWith('/account/links/forge');
  });

  test('not for loopback, another port or another host, nor when the client wants it asked', async () => {
    await using t = await begin();
    const elsewhere = ['https://client.example/callback', 'https://other.example/callback', REDIRECT_URI];
    const { clientId } = await connected(t, [...elsewhere, own()]);
    for (const redirect_uri of elsewhere) {
      expect(hiddenFields(await (await t.ask(clientId, { redirect_uri })).text())).toContainKey('request');
    }
    const asked = await t.ask(clientId, { redirect_uri: own(), prompt: 'consent' });
    expect(hiddenFields(await asked.text())).toContainKey('request');
  });
});

describe('a document is no client', () => {
  const wrong: readonly (readonly [string, () => string])[] = [
    ['of another id', () => publish({ client_id: 'https://client.example/other' })],
    ['without an id', () => publish({ client_id: undefined })],
    ['with a secret', () => publish({ client_secret: 's' })],
    ['that wants a secret', () => publish({ token_endpoint_auth_method: 'client_secret_basic' })],
    ['that signs', () => publish({ token_endpoint_auth_method: 'private_key_jwt' })],
    ['without redirect URIs', () => publish({ redirect_uris: undefined })],
    ['with a redirect URI that nobody may have', () => publish({ redirect_uris: ['javascript:alert(1)'] })],
    ['that is a list', () => publish({}, () => asJson('[]'))],
    ['that is no JSON', () => publish({}, () => asJson('{'))],
    [
      'in broken UTF-8',
      () =>
        publish(
          {},
          () =>
            new Response(new Uint8Array([0x22, 0xff, 0x22]), {
              headers: { 'content-type': 'application/json' },
            }),
        ),
    ],
    [
      'as HTML',
      () => publish({}, (body) => new Response(body, { headers: { 'content-type': 'text/html' } })),
    ],
    [
      'with another status',
      () =>
        publish(
          {},
          (body) => new Response(body, { status: 201, headers: { 'content-type': 'application/json' } }),
        ),
    ],
    ['behind a redirect', () => publish({}, () => Response.redirect(publish(), 302))],
    ['of more than 5 KB', () => publish({ filler: 'x'.repeat(5_120) })],
    ['that is not there', () => server.url('/missing')],
  ];
  test.each(wrong)('%s', async (_, address) => {
    await using t = await begin();
    const response = await t.ask(address());
    expect(response.status).toBe(400);
    expect(destinationOf(response)).toBe('');
  });
});

test('a document is read once an hour, and by several at once only once', async () => {
  await using t = await begin();
  const clientId = publish();
  const path = new URL(clientId).pathname;
  const reads = () => server.asked.filter((asked) => asked === path).length;
  await Promise.all([t.ask(clientId), t.ask(clientId), t.ask(clientId)]);
  await t.ask(clientId);
  expect(reads()).toBe(1);
  await t.clock.advance(3_600_000);
  await t.ask(clientId);
  expect(reads()).toBe(2);
});

test('one person can have so many fetched and no more', async () => {
  await using t = await begin({ documents_per_user: 2 });
  expect((await t.ask(publish())).status).toBe(200);
  expect((await t.ask(publish())).status).toBe(200);
  const refused = await t.ask(publish());
  expect(refused.status).toBe(429);
  expect(refused.headers.has('retry-after')).toBe(true);
});

test.each([
  'http://client.example/client.json',
  'https://client.example',
  'https://client.example/',
  'https://client.example/a/../b',
  'https://client.example/a#b',
  'https://client.example/a#',
  'https://user@client.example/a',
  'https://CLIENT.example/a',
  'https://client.example:443/a',
  'https://client.example/a b',
  `https://client.example/${'a'.repeat(512)}`,
])('%s is not the address of a client', (clientId) => expect(isDocumentClientId(clientId)).toBe(false));
