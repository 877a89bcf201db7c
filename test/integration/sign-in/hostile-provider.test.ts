import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { Browser } from '../../support/browser.ts';
import {
  type HostileProvider,
  type Misbehaviour,
  startHostileProvider,
} from '../../support/hostile-provider.ts';
import { type SignInSite, signInSite } from '../../support/sign-in.ts';

const nowSeconds = () => Math.floor(Date.now() / 1000);

let provider: HostileProvider;
let site: SignInSite;

beforeAll(async () => {
  provider = await startHostileProvider();
  site = await signInSite({ providers: [{ name: 'bad', issuer: provider.issuer }] });
});

afterAll(async () => {
  await site[Symbol.asyncDispose]();
  await provider[Symbol.asyncDispose]();
});

async function signInWith(behaviour: Misbehaviour) {
  provider.behaviour = behaviour;
  const browser = new Browser();
  const peopleBefore = site.accounts.people.store.count();
  const { response, text } = await site.begin(browser, 'bad');
  await site.accounts.actions();
  return {
    status: response.status,
    text,
    retryAfter: response.headers.get('retry-after'),
    who: await site.whoAmI(browser),
    newPeople: site.accounts.people.store.count() - peopleBefore,
    audit: site.accounts.base.auditStore.list({ limit: 1 })[0],
    log: JSON.stringify(site.accounts.base.log.lines),
  };
}

test('an honest answer signs in, so that the others are refused for their own reasons', async () => {
  const { status, who } = await signInWith({});
  expect(status).toBe(200);
  expect(who).toBe('user');
});

describe('an answer is refused, and changes nothing, when', () => {
  const cases: [what: string, reason: string, behaviour: Misbehaviour, status?: number][] = [
    ['the ID token is signed by nobody', 'answer_invalid', { signWith: 'nothing' }],
    ['the ID token is signed with the client secret', 'answer_invalid', { signWith: 'secret' }],
    ['the ID token is signed with a key it does not publish', 'answer_invalid', { signWith: 'other' }],
    ['the ID token names a key it does not publish', 'answer_invalid', { header: { kid: 'who' } }],
    ['the ID token is for another client', 'answer_invalid', { claims: { aud: 'somebody-else' } }],
    [
      'the ID token is for several clients and us',
      'answer_invalid',
      { claims: { aud: ['postern', 'x'], azp: 'x' } },
    ],
    ['the ID token is of another issuer', 'answer_invalid', { claims: { iss: 'https://other.example' } }],
    ['the ID token has another nonce', 'answer_invalid', { claims: { nonce: 'guessed' } }],
    ['the ID token has no nonce', 'answer_invalid', { claims: { nonce: undefined } }],
    ['the ID token has run out', 'answer_invalid', { claims: { exp: nowSeconds() - 3_600 } }],
    ['the ID token is not good yet', 'answer_invalid', { claims: { nbf: nowSeconds() + 3_600 } }],
    ['the ID token has no subject', 'answer_invalid', { claims: { sub: undefined } }],
    ['the ID token has an empty subject', 'answer_invalid', { claims: { sub: '' } }],
    ['the ID token has an endless subject', 'answer_invalid', { claims: { sub: 'x'.repeat(256) } }],
    ['UserInfo is about somebody else', 'answer_invalid', { userInfo: { sub: 'alice' } }],
    [
      'there is no ID token',
      'answer_invalid',
      { token: ({ access_token }) => Response.json({ access_token, token_type: 'Bearer' }) },
    ],
    ['the token endpoint answers no JSON', 'answer_invalid', { token: () => new Response('<html>') }],
    [
      'the token endpoint redirects',
      'answer_invalid',
      { token: () => Response.redirect('http://127.0.0.1:1/') },
    ],
    [
      'the token endpoint answers without end',
      'answer_invalid',
      { token: () => new Response('x'.repeat(2_000_000)) },
    ],
    [
      'the code is not good',
      'answer_invalid',
      { token: () => Response.json({ error: 'invalid_grant' }, { status: 400 }) },
    ],
    [
      'our secret is not good',
      'provider_error',
      { token: () => Response.json({ error: 'invalid_client' }, { status: 401 }) },
    ],
    [
      'the token endpoint is down',
      'provider_unavailable',
      { token: () => new Response('down', { status: 502 }) },
      503,
    ],
    [
      '`iss` is of another provider',
      'answer_invalid',
      { redirect: (query) => query.set('iss', 'https://other.example') },
    ],
    [
      '`iss` is missing where it was promised',
      'answer_invalid',
      { redirect: (query) => query.delete('iss') },
    ],
    ['the code is missing', 'answer_invalid', { redirect: (query) => query.delete('code') }],
    ['it holds tokens in the query', 'answer_invalid', { redirect: (query) => query.set('id_token', 'x') }],
    [
      'the provider says no',
      'denied_at_provider',
      { redirect: (query) => error(query, 'access_denied') },
      403,
    ],
    [
      'the provider is in trouble',
      'provider_unavailable',
      { redirect: (query) => error(query, 'server_error') },
      503,
    ],
    [
      'the provider makes up an error',
      'provider_error',
      { redirect: (query) => error(query, '<script>alert(1)</script>') },
    ],
    [
      'an error comes with the `iss` of another',
      'answer_invalid',
      {
        redirect: (query) => {
          error(query, 'access_denied');
          query.set('iss', 'https://other.example');
        },
      },
    ],
    ['the state is another', 'attempt_unknown', { redirect: (query) => query.set('state', 'guessed') }],
    ['the state is missing', 'attempt_unknown', { redirect: (query) => query.delete('state') }],
  ];
  test.each(cases)('%s', async (_what, reason, behaviour, status = 400) => {
    const result = await signInWith(behaviour);
    expect(result.status).toBe(status);
    expect(result.who).toBeUndefined();
    expect(result.newPeople).toBe(0);
    expect(result.audit).toMatchObject({
      action: 'sign_in',
      outcome: 'refused',
      detail: { provider: 'bad', reason },
    });
    expect(site.metrics()).toContain(`postern_sign_ins_total{provider="bad",outcome="${reason}"} `);
    expect(result.retryAfter !== null).toBe(status === 503);
    expect(result.text).not.toContain('script');
    expect(result.log + result.text).not.toContain('other.example');
  });

  function error(query: URLSearchParams, code: string) {
    query.delete('code');
    query.set('error', code);
    query.set('error_description', '<script>described at other.example</script>');
  }

  test('a parameter comes twice', async () => {
    provider.behaviour = { redirect: (query) => query.append('state', 'x') };
    const { response } = await site.begin(new Browser(), 'bad');
    expect(response.status).toBe(400);
  });
});
