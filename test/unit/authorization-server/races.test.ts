import { describe, expect, test } from 'bun:test';
import { resourceAudience } from '../../../src/sessions/audience.ts';
import { oauthSite } from '../../support/authorization-server.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { oauthClient, RESOURCE, type TokenAnswer } from '../../support/oauth-client.ts';

const AT_ONCE = 12;

const begin = () => {
  const clock = new ManualClock();
  const site = oauthSite({ ledger: { clock } });
  const client = oauthClient(site);
  const isGood = async (token: string) =>
    (await site.base.ledger.authenticate(token, 'access', resourceAudience(RESOURCE))).ok;
  return { site, client, clock, isGood, [Symbol.asyncDispose]: () => site[Symbol.asyncDispose]() };
};

describe('one refresh token', () => {
  test('redeemed twelve times at once gives twelve identical pairs of one family', async () => {
    await using t = begin();
    const { clientId, tokens, session } = await t.client.connect();
    const answers = await Promise.all(
      Array.from({ length: AT_ONCE }, () => t.client.refresh(clientId, tokens.refresh_token)),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: AT_ONCE }, () => 200));
    const bodies = await Promise.all(answers.map((answer) => answer.json()));
    expect(new Set(bodies.map((body) => JSON.stringify(body))).size).toBe(1);
    expect(
      (await t.site.base.ledger.list(session.session.userId)).filter(({ kind }) => kind === 'grant'),
    ).toHaveLength(1);
    expect(await t.isGood((bodies[0] as TokenAnswer).access_token)).toBe(true);
  });

  test('gives the same pair again for thirty seconds, and then ends the grant', async () => {
    await using t = begin();
    const { clientId, tokens } = await t.client.connect();
    const first = (await (await t.client.refresh(clientId, tokens.refresh_token)).json()) as TokenAnswer;
    await t.clock.advance(29_999);
    const again = (await (await t.client.refresh(clientId, tokens.refresh_token)).json()) as TokenAnswer;
    expect(again).toMatchObject({ access_token: first.access_token, refresh_token: first.refresh_token });
    // It runs out when it did before.
    expect(again.expires_in).toBe(3_570);
    await t.clock.advance(1);
    const late = await t.client.refresh(clientId, tokens.refresh_token);
    expect(await late.json()).toMatchObject({ error: 'invalid_grant' });
    expect(await t.isGood(first.access_token)).toBe(false);
    expect((await t.client.refresh(clientId, first.refresh_token)).status).toBe(400);
  });

  test('is spent for good once its successor was used, and ends the grant when it comes back', async () => {
    await using t = begin();
    const { clientId, tokens } = await t.client.connect();
    const second = (await (await t.client.refresh(clientId, tokens.refresh_token)).json()) as TokenAnswer;
    const third = (await (await t.client.refresh(clientId, second.refresh_token)).json()) as TokenAnswer;
    expect((await t.client.refresh(clientId, tokens.refresh_token)).status).toBe(400);
    for (const { access_token } of [tokens, second, third]) expect(await t.isGood(access_token)).toBe(false);
    const rows = t.site.base.auditStore.list({ limit: 50 });
    expect(JSON.stringify(rows)).toContain('oauth.token_reused');
  });

  test('and its revocation at once leave nothing that is good', async () => {
    await using t = begin();
    const { clientId, tokens } = await t.client.connect();
    const acts = await Promise.all([
      t.client.refresh(clientId, tokens.refresh_token),
      t.site.post('/oauth/revoke', { token: tokens.access_token, client_id: clientId }),
      t.client.refresh(clientId, tokens.refresh_token),
    ]);
    for (const answer of acts) {
      const body = (await answer.json()) as Partial<TokenAnswer>;
      if (body.access_token !== undefined) expect(await t.isGood(body.access_token)).toBe(false);
    }
    expect(await t.isGood(tokens.access_token)).toBe(false);
  });

  test('of one client is nothing in the hands of another, and takes no harm', async () => {
    await using t = begin();
    const { clientId, tokens } = await t.client.connect();
    const { client_id: other } = await t.client.register({ client_name: 'Other' });
    expect((await t.client.refresh(other, tokens.refresh_token)).status).toBe(400);
    expect((await t.client.refresh(clientId, tokens.refresh_token)).status).toBe(200);
  });
});

describe('one code', () => {
  test('redeemed twelve times at once succeeds once, and then what it gave is revoked', async () => {
    await using t = begin();
    const session = await t.site.base.signIn(await t.site.base.addUser());
    const { client_id: clientId } = await t.client.register();
    const code = await t.client.authorize(clientId, session);
    const answers = await Promise.all(Array.from({ length: AT_ONCE }, () => t.client.redeem(clientId, code)));
    const good = answers.filter(({ status }) => status === 200);
    expect(good).toHaveLength(1);
    const [tokens] = await Promise.all(good.map(async (answer) => (await answer.json()) as TokenAnswer));
    expect(await t.isGood(tokens?.access_token ?? '')).toBe(false);
    expect((await t.client.refresh(clientId, tokens?.refresh_token ?? '')).status).toBe(400);
  });

  test('used again long after ends what it gave', async () => {
    await using t = begin();
    const session = await t.site.base.signIn(await t.site.base.addUser());
    const { client_id: clientId } = await t.client.register();
    const code = await t.client.authorize(clientId, session);
    const tokens = (await (await t.client.redeem(clientId, code)).json()) as TokenAnswer;
    await t.clock.advance(600_000);
    expect(await t.isGood(tokens.access_token)).toBe(true);
    expect(await (await t.client.redeem(clientId, code)).json()).toMatchObject({ error: 'invalid_grant' });
    expect(await t.isGood(tokens.access_token)).toBe(false);
  });

  test('survives whoever lacks client, redirect URI or verifier, before and after its use', async () => {
    await using t = begin();
    const session = await t.site.base.signIn(await t.site.base.addUser());
    const { client_id: clientId } = await t.client.register();
    const { client_id: other } = await t.client.register({ client_name: 'Other' });
    const code = await t.client.authorize(clientId, session);
    const attempts = [
      () => t.client.redeem(other, code),
      () => t.client.redeem(clientId, code, { redirect_uri: 'http://127.0.0.1:5124/callback' }),
      () => t.client.redeem(clientId, code, { code_verifier: 'w'.repeat(43) }),
    ];
    for (const attempt of attempts) expect((await attempt()).status).toBe(400);
    const redeemed = await t.client.redeem(clientId, code);
    expect(redeemed.status).toBe(200);
    for (const attempt of attempts) expect((await attempt()).status).toBe(400);
    expect(await t.isGood(((await redeemed.json()) as TokenAnswer).access_token)).toBe(true);
  });

  test('is good for a minute, and for as long as the session that consented', async () => {
    await using t = begin();
    const session = await t.site.base.signIn(await t.site.base.addUser());
    const { client_id: clientId } = await t.client.register();
    const old = await t.client.authorize(clientId, session);
    await t.clock.advance(60_000);
    expect((await t.client.redeem(clientId, old)).status).toBe(400);
    const voided = await t.client.authorize(clientId, session);
    await t.site.base.ledger.end(session.session.id, { reason: 'signed_out' });
    expect((await t.client.redeem(clientId, voided)).status).toBe(400);
  });
});

test('a grant outlives the browser session that consented, and falls with everywhere', async () => {
  await using t = begin();
  const { clientId, tokens, session } = await t.client.connect();
  await t.site.base.ledger.end(session.session.id, { reason: 'signed_out' });
  const refreshed = (await (await t.client.refresh(clientId, tokens.refresh_token)).json()) as TokenAnswer;
  expect(await t.isGood(refreshed.access_token)).toBe(true);
  await t.site.base.ledger.endAll(session.session.userId, { reason: 'everywhere' });
  expect(await t.isGood(refreshed.access_token)).toBe(false);
  expect((await t.client.refresh(clientId, refreshed.refresh_token)).status).toBe(400);
});

test('a refresh keeps a grant alive, until its absolute end', async () => {
  await using t = begin();
  const DAY = 86_400_000;
  const { clientId, tokens } = await t.client.connect();
  let refreshToken = tokens.refresh_token;
  for (let day = 0; day < 80; day += 20) {
    await t.clock.advance(20 * DAY);
    const answer = (await (await t.client.refresh(clientId, refreshToken)).json()) as TokenAnswer;
    refreshToken = answer.refresh_token;
  }
  await t.clock.advance(10 * DAY);
  expect((await t.client.refresh(clientId, refreshToken)).status).toBe(400);
});
