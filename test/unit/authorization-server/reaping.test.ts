import { expect, test } from 'bun:test';
import { oauthClients, oauthCodes, oauthRequests } from '../../../src/db/schema/index.ts';
import { oauthSite, testResource } from '../../support/authorization-server.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { oauthClient } from '../../support/oauth-client.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

const begin = (needsLink = false) => {
  const clock = new ManualClock();
  const resources = [testResource('files', needsLink ? { provider: 'forge' } : {})];
  const site = oauthSite({ ledger: { clock }, resources });
  const { db } = site.base;
  const reap = () =>
    db.write((tx) => site.server.reapTasks.map(({ deleteExpired }) => deleteExpired(tx, clock.now(), 100)));
  const rows = {
    clients: () => db.reader.select().from(oauthClients).all().length,
    codes: () => db.reader.select().from(oauthCodes).all().length,
    requests: () => db.reader.select().from(oauthRequests).all().length,
  };
  return {
    site,
    clock,
    reap,
    rows,
    client: oauthClient(site),
    [Symbol.asyncDispose]: () => site[Symbol.asyncDispose](),
  };
};

test('a client that nobody consented to is forgotten after a day, one that was used a year after', async () => {
  await using t = begin();
  await t.client.register({ client_name: 'Unused' });
  await t.client.connect();
  expect(t.rows.clients()).toBe(2);
  await t.clock.advance(DAY - 1);
  await t.reap();
  expect(t.rows.clients()).toBe(2);
  await t.clock.advance(1);
  await t.reap();
  expect(t.rows.clients()).toBe(1);
  await t.clock.advance(365 * DAY);
  await t.reap();
  expect(t.rows.clients()).toBe(0);
});

test('registering again keeps a client', async () => {
  await using t = begin();
  await t.client.register();
  await t.clock.advance(DAY - 1);
  await t.client.register();
  await t.clock.advance(1);
  await t.reap();
  expect(t.rows.clients()).toBe(1);
});

test('a code that nobody redeemed goes after a minute, a redeemed one stays with its grant', async () => {
  await using t = begin();
  const { session } = await t.client.connect();
  const { client_id } = await t.client.register();
  await t.client.authorize(client_id, session);
  expect(t.rows.codes()).toBe(2);
  await t.clock.advance(60_000);
  await t.reap();
  expect(t.rows.codes()).toBe(1);
});

test('a request that waits for a link goes after ten minutes', async () => {
  await using t = begin(true);
  const session = await t.site.base.signIn(await t.site.base.addUser());
  const { client_id } = await t.client.register();
  const page = await t.site.fetch(t.client.authorizePath(client_id), { session });
  await t.client.consent(page, session);
  expect(t.rows.requests()).toBe(1);
  await t.clock.advance(10 * 60_000);
  await t.reap();
  expect(t.rows.requests()).toBe(0);
});

test('a client that was forgotten is told so at the token endpoint', async () => {
  await using t = begin();
  const { clientId, tokens } = await t.client.connect();
  await t.clock.advance(366 * DAY);
  await t.reap();
  const answer = await t.client.refresh(clientId, tokens.refresh_token);
  expect(answer.status).toBe(401);
  expect(await answer.json()).toMatchObject({ error: 'invalid_client' });
});
