import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { Browser } from '../../support/browser.ts';
import {
  type HostileProvider,
  type Misbehaviour,
  startHostileProvider,
} from '../../support/hostile-provider.ts';
import { CLIENT_ID, type SignInSite, signInSite } from '../../support/sign-in.ts';

const EVENT = 'http://schemas.openid.net/event/backchannel-logout';
const nowSeconds = () => Math.floor(Date.now() / 1000);

let provider: HostileProvider;
let site: SignInSite;
let browser: Browser;

beforeAll(async () => {
  provider = await startHostileProvider();
  site = await signInSite({
    providers: [
      { name: 'op', issuer: provider.issuer },
      { name: 'code-host', kind: 'github' },
    ],
  });
});

afterAll(async () => {
  await site[Symbol.asyncDispose]();
  await provider[Symbol.asyncDispose]();
});

beforeEach(async () => {
  provider.behaviour = {};
  browser = new Browser();
  await site.begin(browser, 'op');
});

type TokenCase = Pick<Misbehaviour, 'claims' | 'header' | 'signWith'>;

const logoutToken = ({ claims = {}, header = {}, signWith = 'own' }: TokenCase) => {
  const now = nowSeconds();
  const honest = {
    iss: provider.issuer,
    aud: CLIENT_ID,
    iat: now,
    exp: now + 120,
    jti: crypto.randomUUID(),
    sid: 'sid-1',
    sub: 'mallory',
    events: { [EVENT]: {} },
  };
  const all = Object.entries({ ...honest, ...claims }).filter(([, value]) => value !== undefined);
  return provider.sign(Object.fromEntries(all), { header: { typ: 'logout+jwt', ...header }, signWith });
};

const send = (token: string, path = '/backchannel-logout/op') =>
  fetch(site.url(path), { method: 'POST', body: new URLSearchParams({ logout_token: token }) });

test('a good one is answered 200, without a body and not to be stored', async () => {
  const response = await send(await logoutToken({}));
  expect(response.status).toBe(200);
  expect(response.headers.get('cache-control')).toBe('no-store');
  expect(await response.text()).toBe('');
  expect(await site.whoAmI(browser)).toBeUndefined();
});

test('one that is for several audiences and names `sid` alone is good', async () => {
  const response = await send(await logoutToken({ claims: { aud: ['other', CLIENT_ID], sub: undefined } }));
  expect(response.status).toBe(200);
  expect(await site.whoAmI(browser)).toBeUndefined();
});

describe('a logout token is refused, and ends nothing, when', () => {
  const cases: [what: string, token: TokenCase][] = [
    ['nobody signed it', { signWith: 'nothing' }],
    ['the client secret signed it', { signWith: 'secret' }],
    ['another key signed it', { signWith: 'other' }],
    ['it names a key nobody published', { header: { kid: 'who' } }],
    ['it has no type', { header: { typ: undefined } }],
    ['it is a plain JWT', { header: { typ: 'JWT' } }],
    ['it is an access token', { header: { typ: 'at+jwt' } }],
    ['it is of another issuer', { claims: { iss: 'https://other.example' } }],
    ['it is for another client', { claims: { aud: 'somebody-else' } }],
    ['it has no audience', { claims: { aud: undefined } }],
    ['it has a nonce', { claims: { nonce: 'n' } }],
    ['it has no events', { claims: { events: undefined } }],
    ['its event is another', { claims: { events: { 'https://example.com/other': {} } } }],
    ['its event is no object', { claims: { events: { [EVENT]: true } } }],
    ['its events are a list', { claims: { events: [EVENT] } }],
    ['it names nobody', { claims: { sub: undefined, sid: undefined } }],
    ['its `sid` is no text', { claims: { sid: 7 } }],
    ['its `sub` is endless', { claims: { sub: 'x'.repeat(600) } }],
    ['it has no id', { claims: { jti: undefined } }],
    ['its id is empty', { claims: { jti: '' } }],
    ['it has no end', { claims: { exp: undefined } }],
    ['it has run out', { claims: { exp: nowSeconds() - 60 } }],
    ['it has no time of issue', { claims: { iat: undefined } }],
    ['it was made long ago', { claims: { iat: nowSeconds() - 3_600 } }],
    ['it will be made', { claims: { iat: nowSeconds() + 3_600 } }],
  ];
  test.each(cases)('%s', async (_what, token) => {
    const response = await send(await logoutToken(token));
    expect(response.status).toBe(400);
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(await response.json()).toMatchObject({ error: 'invalid_request' });
    expect(await site.whoAmI(browser)).toBeDefined();
    await site.accounts.actions();
    const [row] = site.accounts.base.auditStore.list({ limit: 1 });
    expect(row).toMatchObject({
      action: 'backchannel_logout',
      outcome: 'refused',
      detail: { provider: 'op' },
    });
  });

  test('it is an ID token', async () => {
    const now = nowSeconds();
    const idToken = await provider.sign({
      iss: provider.issuer,
      aud: CLIENT_ID,
      sub: 'mallory',
      iat: now,
      exp: now + 60,
    });
    expect((await send(idToken)).status).toBe(400);
  });

  test('it was used before', async () => {
    const token = await logoutToken({ claims: { sid: 'sid-2' } });
    expect((await send(token)).status).toBe(200);
    const again = await Promise.all([1, 2, 3].map(() => send(token)));
    expect(again.map(({ status }) => status)).toEqual([400, 400, 400]);
  });

  test.each(['', 'x', 'a.b.c', '..', 'é', `${'x'.repeat(5_000)}.y.z`])('it is none: %#', async (text) => {
    expect((await send(text)).status).toBe(400);
  });

  test('it comes twice, not as a form, or too large', async () => {
    const token = await logoutToken({});
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    const post = (body: string, headers: Record<string, string> = form) =>
      fetch(site.url('/backchannel-logout/op'), { method: 'POST', body, headers });
    expect((await post(`logout_token=${token}&logout_token=${token}`)).status).toBe(400);
    expect((await post('')).status).toBe(400);
    expect(
      (await post(JSON.stringify({ logout_token: token }), { 'content-type': 'application/json' })).status,
    ).toBe(415);
    expect((await post(`logout_token=${'x'.repeat(70_000)}`)).status).toBe(413);
    expect((await fetch(site.url('/backchannel-logout/op'))).status).toBe(405);
    expect(await site.whoAmI(browser)).toBeDefined();
  });

  test('it goes to a provider that nobody configured, or that sends none', async () => {
    expect((await send(await logoutToken({}), '/backchannel-logout/nowhere')).status).toBe(404);
    expect((await send(await logoutToken({}), '/backchannel-logout/code-host')).status).toBe(404);

    const madeUp = 'n'.repeat(4_000);
    const broken = {
      body: 'logout_token=%',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    };
    const path = site.url(`/backchannel-logout/${madeUp}`);
    expect((await fetch(path, { method: 'POST', ...broken })).status).toBe(404);
    await site.accounts.actions();
    expect(JSON.stringify(site.accounts.base.auditStore.list({ limit: 5 }))).not.toContain(madeUp);
  });
});

test('when the keys of the provider cannot be read the answer is an outage, so that the provider may try again', async () => {
  await using late = await startHostileProvider();
  await using other = await signInSite({ providers: [{ name: 'op', issuer: late.issuer }] });
  await other.feature.providers.refresh();
  late.behaviour = { everything: () => new Response('down', { status: 502 }) };
  const token = await provider.sign({ sub: 'x' }, { header: { typ: 'logout+jwt' } });
  const response = await fetch(other.url('/backchannel-logout/op'), {
    method: 'POST',
    body: new URLSearchParams({ logout_token: token }),
  });
  expect(response.status).toBe(503);
  expect(response.headers.get('retry-after')).not.toBeNull();
});
