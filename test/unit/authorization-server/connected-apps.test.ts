import { expect, test } from 'bun:test';
import type { RunningChild } from '../../../src/authorization-server/connected-apps.ts';
import { resourceAudience } from '../../../src/sessions/audience.ts';
import { oauthSite } from '../../support/authorization-server.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { oauthClient, REDIRECT_URI, RESOURCE } from '../../support/oauth-client.ts';

const begin = () => {
  const clock = new ManualClock();
  const site = oauthSite({ ledger: { clock } });
  const running: RunningChild[] = [];
  const apps = site.server.connectedApps(() => running);
  return {
    site,
    clock,
    running,
    apps,
    client: oauthClient(site),
    [Symbol.asyncDispose]: () => site[Symbol.asyncDispose](),
  };
};

test('an app is listed with where it redirects, its last use, and what runs for it', async () => {
  await using t = begin();
  const { session, tokens, clientId } = await t.client.connect();
  const { userId } = session.session;
  await t.clock.advance(3_600_000 - 1);
  await t.site.base.ledger.authenticate(tokens.access_token, 'access', resourceAudience(RESOURCE));
  const [first] = t.apps.list(userId);
  if (first === undefined) throw new Error('nothing is listed');
  t.running.push({ sessionId: first.id, pid: 7, memoryBytes: 1_048_576, startedAt: t.clock.now() });
  t.running.push({ sessionId: session.session.id, pid: 8, memoryBytes: undefined, startedAt: 0 });
  expect(t.apps.list(userId)).toMatchObject([
    {
      name: 'Test',
      clientId,
      redirectUri: REDIRECT_URI,
      backend: 'files',
      scope: 'mcp:files',
      lastSeenAt: t.clock.now(),
      children: [{ pid: 7 }],
    },
  ]);
  expect(t.apps.list(await t.site.base.addUser())).toEqual([]);
});

test('one is ended by its person alone, and nothing of it is good any more', async () => {
  await using t = begin();
  const one = await t.client.connect();
  const two = await t.client.connect(one.session);
  const stranger = await t.site.base.addUser();
  const { userId } = one.session.session;
  expect(t.apps.list(userId)).toHaveLength(2);
  const [newest] = t.apps.list(userId);
  if (newest === undefined) throw new Error('nothing is listed');
  expect(await t.apps.end(newest.id, { userId: stranger })).toBe(false);
  expect(await t.apps.end(one.session.session.id, { userId })).toBe(false);
  expect(await t.apps.end(newest.id, { userId })).toBe(true);
  expect(await t.apps.end(newest.id, { userId })).toBe(false);
  const answers = await Promise.all(
    [one, two].map(({ clientId, tokens }) => t.client.refresh(clientId, tokens.refresh_token)),
  );
  expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 400]);
});

test('all are ended at once, browser sessions and personal tokens stay', async () => {
  await using t = begin();
  const { session } = await t.client.connect();
  await t.client.connect(session);
  const { ledger, db } = t.site.base;
  const { userId } = session.session;
  const personal = await db.write((tx) =>
    ledger.openPersonalToken(tx, {
      issuedBy: session.session.id,
      label: 'mine',
      audience: [resourceAudience(RESOURCE)],
      expiresAt: t.clock.now() + 60_000,
      origin: session.session.origin,
    }),
  );
  expect(await t.apps.endAll({ userId })).toBe(2);
  expect(t.apps.list(userId)).toEqual([]);
  expect((await ledger.list(userId)).map(({ id }) => id).toSorted()).toEqual(
    [personal.session.id, session.session.id].toSorted(),
  );
  expect(await t.apps.endAll({ userId })).toBe(0);
});

test('what hangs on an app closes with it', async () => {
  await using t = begin();
  const { session } = await t.client.connect();
  const { userId } = session.session;
  const [app] = t.apps.list(userId);
  if (app === undefined) throw new Error('nothing is listed');
  const closed = Promise.withResolvers<string>();
  t.site.base.ledger.attach(app.id, closed.resolve);
  await t.apps.endAll({ userId });
  expect(await closed.promise).toBe('ended_by_user');
});
