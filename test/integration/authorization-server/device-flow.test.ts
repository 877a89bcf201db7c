import { describe, expect, test } from 'bun:test';
import { endEverything } from '../../../src/ops/store-restored.ts';
import { resourceAudience } from '../../../src/sessions/audience.ts';
import {
  oauthSite,
  type TestAuthorizationServerOptions,
  testResource,
} from '../../support/authorization-server.ts';
import { deviceClient, TV_CLIENT } from '../../support/device-client.ts';
import { TEST_ORIGIN } from '../../support/ledger.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { oauthClient, RESOURCE, type TokenAnswer } from '../../support/oauth-client.ts';

const MINUTE_MS = 60_000;

async function begin(options: TestAuthorizationServerOptions = {}) {
  const clock = new ManualClock();
  const site = oauthSite({
    ...options,
    config: { client: [TV_CLIENT], ...options.config },
    ledger: { clock },
  });
  const person = await site.base.signIn(await site.base.addUser('ada'));
  return {
    site,
    clock,
    person,
    tv: deviceClient(site),
    [Symbol.asyncDispose]: () => site[Symbol.asyncDispose](),
  };
}

describe('a program without a browser', () => {
  test('shows a code, waits for its person, and is let in once they have answered', async () => {
    await using t = await begin();
    const codes = await t.tv.begin({ resource: RESOURCE });
    expect(codes).toMatchObject({
      verification_uri: `${TEST_ORIGIN}/device`,
      expires_in: 600,
      interval: 5,
    });
    expect(codes.user_code).toMatch(/^[2-9A-Z]{4}-[2-9A-Z]{4}$/);
    expect(Object.keys(codes)).not.toContain('verification_uri_complete');
    expect(await t.tv.errorOf(codes)).toBe('authorization_pending');
    await t.clock.advance(5_000);
    expect(await t.tv.errorOf(codes)).toBe('authorization_pending');
    await t.tv.approve(codes, t.person);
    await t.clock.advance(5_000);
    const answer = await t.tv.poll(codes);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    const tokens = (await answer.json()) as TokenAnswer;
    expect(tokens).toMatchObject({ token_type: 'Bearer', scope: 'mcp:files' });
    const speaks = await t.site.base.ledger.authenticate(
      tokens.access_token,
      'access',
      resourceAudience(RESOURCE),
    );
    expect(speaks).toMatchObject({ ok: true, user: { username: 'ada' } });
    const refreshed = await oauthClient(t.site).refresh('tv', tokens.refresh_token);
    expect(refreshed.status).toBe(200);
    expect(t.site.server.connectedApps(() => []).list(t.person.session.userId)).toMatchObject([
      { clientId: 'tv', name: 'Television', redirectUri: undefined, backend: 'files' },
    ]);
  });

  test('that asks too often is told to slow down, more and more', async () => {
    await using t = await begin();
    const codes = await t.tv.begin();
    expect(await t.tv.errorOf(codes)).toBe('authorization_pending');
    await t.clock.advance(1_000);
    expect(await t.tv.errorOf(codes)).toBe('slow_down');
    await t.clock.advance(6_000);
    expect(await t.tv.errorOf(codes)).toBe('slow_down');
    await t.clock.advance(15_000);
    expect(await t.tv.errorOf(codes)).toBe('authorization_pending');
    await t.tv.approve(codes, t.person);
    expect((await t.tv.poll(codes)).status).toBe(200);
    const figures = t.site.base.metrics.render();
    const figure = (outcome: string) =>
      `postern_oauth_tokens_total{grant_type="device_code",outcome="${outcome}"}`;
    expect(figures).toContain(`${figure('slow_down')} 2`);
    expect(figures).toContain(`${figure('pending')} 2`);
    expect(figures).toContain(`${figure('success')} 1`);
  });

  test('hears that its person said no, and that nobody answered in time', async () => {
    await using t = await begin();
    const [refused, forgotten] = [await t.tv.begin(), await t.tv.begin()];
    await t.tv.deny(refused, t.person);
    expect(await t.tv.errorOf(refused)).toBe('access_denied');
    await t.clock.advance(10 * MINUTE_MS);
    expect(await t.tv.errorOf(forgotten)).toBe('expired_token');
    expect(t.tv.find(forgotten, t.person.session.userId)).toBeUndefined();
  });

  test('may fetch the answer for a while, however late it was given', async () => {
    await using t = await begin();
    const codes = await t.tv.begin();
    await t.clock.advance(10 * MINUTE_MS - 1);
    await t.tv.approve(codes, t.person);
    await t.clock.advance(9 * MINUTE_MS);
    expect((await t.tv.poll(codes)).status).toBe(200);
  });
});

describe('an answer', () => {
  test('is given once', async () => {
    await using t = await begin();
    const codes = await t.tv.begin();
    await t.tv.approve(codes, t.person);
    expect(t.tv.find(codes, t.person.session.userId)).toBeUndefined();
  });

  test('and a refusal at the same time: one of them counts', async () => {
    await using t = await begin();
    const codes = await t.tv.begin();
    const outcomes = await Promise.allSettled([t.tv.approve(codes, t.person), t.tv.deny(codes, t.person)]);
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
  });

  test('falls with the session that gave it, until it is fetched', async () => {
    await using t = await begin();
    const codes = await t.tv.begin();
    await t.tv.approve(codes, t.person);
    await t.site.base.ledger.end(t.person.session.id, { reason: 'signed_out' });
    expect(await t.tv.errorOf(codes)).toBe('access_denied');
  });

  test('falls with what the person may use', async () => {
    let allowed = true;
    await using t = await begin({ resources: [testResource('files', { mayUse: () => allowed })] });
    const codes = await t.tv.begin();
    await t.tv.approve(codes, t.person);
    allowed = false;
    expect(await t.tv.errorOf(codes)).toBe('access_denied');
  });

  test('waits for the account that the backend needs', async () => {
    let linked = false;
    await using t = await begin({
      resources: [testResource('files', { provider: 'forge' })],
      isLinked: () => linked,
    });
    const codes = await t.tv.begin();
    await t.tv.approve(codes, t.person);
    expect(await t.tv.errorOf(codes)).toBe('authorization_pending');
    linked = true;
    expect((await t.tv.poll(codes)).status).toBe(200);
  });

  test('is gone after a restore', async () => {
    await using t = await begin();
    const codes = await t.tv.begin();
    await t.tv.approve(codes, t.person);
    const { db, clock } = t.site.base;
    await db.write((tx) => endEverything(tx, clock.now(), { keepDevices: false }));
    expect(await t.tv.errorOf(codes)).toBe('invalid_grant');
  });
});

describe('one device code', () => {
  test('fetched twelve times at once gives one grant, which then is revoked', async () => {
    await using t = await begin();
    const codes = await t.tv.begin();
    await t.tv.approve(codes, t.person);
    const answers = await Promise.all(Array.from({ length: 12 }, () => t.tv.poll(codes)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(t.site.server.connectedApps(() => []).list(t.person.session.userId)).toEqual([]);
  });

  test('is nothing in the hands of another client, and takes no harm', async () => {
    await using t = await begin({
      config: { client: [TV_CLIENT, { ...TV_CLIENT, client_id: 'radio' }] },
    });
    const codes = await t.tv.begin();
    await t.tv.approve(codes, t.person);
    expect(await t.tv.errorOf(codes, { client_id: 'radio' })).toBe('invalid_grant');
    expect((await t.tv.poll(codes)).status).toBe(200);
  });
});

test('requests are deleted some time after their end', async () => {
  await using t = await begin();
  const codes = await t.tv.begin();
  const task = t.site.server.reapTasks.find(({ name }) => name === 'oauth_device_requests');
  const reap = () => t.site.base.db.write((tx) => task?.deleteExpired(tx, t.clock.now(), 100));
  await t.clock.advance(15 * MINUTE_MS);
  expect(await reap()).toBe(0);
  expect(await t.tv.errorOf(codes)).toBe('expired_token');
  await t.clock.advance(5 * MINUTE_MS);
  expect(await reap()).toBe(1);
  expect(await t.tv.errorOf(codes)).toBe('invalid_grant');
});

describe('the device authorization endpoint', () => {
  const errorAt = async (form: Readonly<Record<string, string>>, config = {}) => {
    await using t = await begin({ resources: [testResource('files'), testResource('mail')], config });
    const response = await t.site.post('/oauth/device_authorization', form);
    return { status: response.status, error: ((await response.json()) as { error: string }).error };
  };

  test.each([
    ['no client', {}, 400, 'invalid_request'],
    ['an unknown client', { client_id: 'fridge' }, 401, 'invalid_client'],
    ['a secret', { client_id: 'tv', client_secret: 'x' }, 401, 'invalid_client'],
    ['another resource', { client_id: 'tv', resource: 'https://elsewhere.example/' }, 400, 'invalid_target'],
    ['an unknown scope', { client_id: 'tv', scope: 'admin' }, 400, 'invalid_scope'],
    ['two scopes', { client_id: 'tv', scope: 'mcp:files mcp:mail' }, 400, 'invalid_scope'],
    ['a malformed scope', { client_id: 'tv', scope: '"' }, 400, 'invalid_scope'],
  ])('with %s', async (_, form, status, error) => {
    expect(await errorAt(form)).toEqual({ status, error });
  });

  test('refuses clients that are not configured for it, registered ones too', async () => {
    const redirecting = { client_id: 'web', name: 'Web', redirect_uris: ['https://a.example/cb'] };
    await using t = await begin({ config: { client: [TV_CLIENT, redirecting] } });
    const { client_id: registered } = await oauthClient(t.site).register();
    for (const client_id of ['web', registered]) {
      const response = await t.site.post('/oauth/device_authorization', { client_id });
      expect(await response.json()).toMatchObject({ error: 'unauthorized_client' });
    }
  });

  test('is limited per address, and in all', async () => {
    expect(await twice({ device_requests_per_address: 1 })).toBe(429);
    expect(await twice({ device_requests: 1 })).toBe(503);
  });

  async function twice(config: Record<string, unknown>): Promise<number> {
    await using t = await begin({ config });
    await t.tv.begin();
    const refused = await t.site.post('/oauth/device_authorization', { client_id: 'tv' });
    expect(refused.headers.has('retry-after')).toBe(true);
    expect(await refused.json()).toMatchObject({ error: 'temporarily_unavailable' });
    return refused.status;
  }

  test('takes POST of a form alone', async () => {
    await using t = await begin();
    const path = '/oauth/device_authorization';
    expect((await t.site.fetch(path)).status).toBe(405);
    const json = { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } };
    expect((await t.site.fetch(path, json)).status).toBe(415);
    const twice = { method: 'POST', body: new URLSearchParams('client_id=tv&client_id=tv') };
    expect((await t.site.fetch(path, twice)).status).toBe(400);
  });

  test('is in the metadata where some client may use it', async () => {
    const metadataOf = async (config: Record<string, unknown>) => {
      await using t = await begin({ config });
      const response = await t.site.fetch('/.well-known/oauth-authorization-server');
      return (await response.json()) as Record<string, unknown>;
    };
    const grant = 'urn:ietf:params:oauth:grant-type:device_code';
    const withCodes = await metadataOf({});
    expect(withCodes['device_authorization_endpoint']).toBe(`${TEST_ORIGIN}/oauth/device_authorization`);
    expect(withCodes['grant_types_supported']).toContain(grant);
    const without = await metadataOf({ client: [] });
    expect(Object.keys(without)).not.toContain('device_authorization_endpoint');
    expect(without['grant_types_supported']).not.toContain(grant);
  });
});

describe('the token endpoint with a device code', () => {
  test.each([
    ['none', '', 'invalid_request'],
    ['an unknown one', 'x'.repeat(43), 'invalid_grant'],
  ])('with %s', async (_, device_code, error) => {
    await using t = await begin();
    expect(await t.tv.errorOf(await t.tv.begin(), { device_code })).toBe(error);
  });
});
