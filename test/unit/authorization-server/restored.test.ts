import { expect, test } from 'bun:test';
import { endEverything } from '../../../src/ops/store-restored.ts';
import { oauthSite, testResource } from '../../support/authorization-server.ts';
import { destinationOf, oauthClient } from '../../support/oauth-client.ts';

test('after a restore no code, no refresh token and no waiting request is good', async () => {
  await using site = oauthSite({
    resources: [testResource('files'), testResource('mail', { provider: 'forge' })],
  });
  const client = oauthClient(site);
  const { session, clientId, tokens } = await client.connect();
  const code = await client.authorize(clientId, session);
  const mail = client.authorizePath(clientId, { resource: testResource('mail').resource });
  const waiting = await client.consent(await site.fetch(mail, { session }), session);
  const { db, clock } = site.base;
  await db.write((tx) => endEverything(tx, clock.now(), { keepDevices: false }));
  expect((await client.redeem(clientId, code)).status).toBe(400);
  expect((await client.refresh(clientId, tokens.refresh_token)).status).toBe(400);
  const again = await site.base.signIn(session.session.userId);
  const onward = new URL(destinationOf(waiting), 'https://x').searchParams.get('return_to') ?? '';
  expect((await site.fetch(onward, { session: again })).status).toBe(400);
});
