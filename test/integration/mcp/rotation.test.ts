import { afterEach, expect, test } from 'bun:test';
import { startLoop } from '../../../src/lib/loop.ts';
import type { Holder } from '../../../src/mcp/exchange.ts';
import { sessionStore } from '../../../src/sessions/store.ts';
import { type LinkSite, type LinkSiteOptions, linkSite, WORK } from '../../support/linked-accounts.ts';
import { settle } from '../../support/manual-clock.ts';
import {
  callTool,
  SERVERS,
  scriptBackend,
  stateOf,
  type TemporaryBroker,
  temporaryBroker,
  textOf,
} from '../../support/mcp-broker.ts';
import { recordingView } from '../../support/mcp-view.ts';
import { recordedLog } from '../../support/silent-log.ts';
import { answerTokens } from '../../support/token-endpoint.ts';
import { until } from '../../support/until.ts';

const MINUTE_MS = 60_000;
const BACKEND = scriptBackend(SERVERS.odd, [], { provider: WORK });

let links: LinkSite | undefined;
let things: TemporaryBroker | undefined;
afterEach(async () => {
  await things?.[Symbol.asyncDispose]();
  await links?.[Symbol.asyncDispose]();
  [things, links] = [undefined, undefined];
});

/** A real provider, real refreshes, the broker, and somebody whose child has a token of theirs. */
async function open(options: LinkSiteOptions) {
  const site = await linkSite(options);
  links = site;
  const { upstream, accounts } = site.site;
  const { base } = accounts;
  const broker = temporaryBroker({
    backends: [BACKEND],
    things: base,
    clock: site.clock,
    tokens: upstream.tokens,
  });
  things = broker;
  upstream.setDependents(() => broker.broker.dependents());
  const { userId } = await site.linked('ada');
  const session = (await base.ledger.list(userId)).find(({ kind }) => kind === 'grant');
  const user = await base.db.write((tx) => sessionStore(base.db).findUser(tx, userId));
  if (session === undefined || user === undefined) throw new Error('nobody is linked');
  const holder: Holder = { session, user, backend: BACKEND };
  return {
    site,
    broker,
    holder,
    token: async () => (await upstream.tokens.current(userId, WORK))?.accessToken,
  };
}

test('an hour of tokens that live five minutes: each reaches the child before the last one ends, and no call fails', async () => {
  const { site, broker, holder, token } = await open({ accessTokenSeconds: 300 });
  const everyMs = site.site.accounts.base.config.upstream.rotate_interval;
  await using _rotator = startLoop({
    name: 'rotator',
    everyMs,
    clock: site.clock,
    log: recordedLog(),
    run: () => site.site.upstream.rotate(),
  });
  await using _reaper = startLoop({
    name: 'mcp-children',
    everyMs: 30_000,
    clock: site.clock,
    log: recordedLog(),
    run: async () => broker.broker.sweep(),
  });
  const view = recordingView();
  using _attachment = broker.broker.attach(holder, view, { logLevel: 'info', subscriptions: ['a:1'] });
  const seen = new Set([(await stateOf(broker.broker, holder)).token]);
  for (let second = 0; second < 3_600; second += 30) {
    await site.clock.advance(30_000);
    if ((second + 30) % 150 === 0) {
      await until('the child has the new token', async () => {
        const { token: own } = await stateOf(broker.broker, holder);
        return own === (await token()) && !seen.has(own);
      });
    }
    const state = await stateOf(broker.broker, holder);
    expect(state).toMatchObject({ level: 'info', subscriptions: ['a:1'] });
    seen.add(state.token);
  }
  expect(seen.size).toBe(25);
  expect(site.refreshes('success')).toBe(24);
  await until('one child is left', () => broker.alive() === 1);
  expect(broker.places()).toBe(1);
  expect(view.delivered.map(({ method }) => method)).toEqual(
    Array.from({ length: 24 }, () => 'notifications/tools/list_changed'),
  );
});

test('a provider that answers 503 for a while costs nobody anything', async () => {
  const { site, broker, holder, token } = await open({ accessTokenSeconds: 600 });
  await stateOf(broker.broker, holder);
  await token();
  const outage = answerTokens(site, (response) => response.writeHead(503).end());
  await site.clock.advance(5 * MINUTE_MS);
  await until('a refresh has failed', () => site.refreshes('unavailable') > 0);
  expect(textOf(await callTool(broker.broker, holder, 'echo', { text: 'still here' }))).toBe('still here');
  outage.end();
  await settle();
  await site.clock.advance(2_000);
  await until('it was refreshed', () => site.refreshes('success') === 1);
  await until(
    'the child has the new token',
    async () => (await stateOf(broker.broker, holder)).token === (await token()),
  );
});

test('invalid_grant ends the child, and the next call is a clean 401', async () => {
  const { site, broker, holder, token } = await open({ accessTokenSeconds: 600 });
  await stateOf(broker.broker, holder);
  await token();
  site.provider.intercept = (path, response, pass) => {
    if (path !== '/token') return pass();
    response.writeHead(400, { 'content-type': 'application/json' }).end('{"error":"invalid_grant"}');
  };
  await site.clock.advance(5 * MINUTE_MS);
  await until('the refresh was refused', () => site.refreshes('invalid_grant') === 1);
  await until('nothing runs', () => broker.alive() === 0);
  const error = await stateOf(broker.broker, holder).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ kind: 'unauthorized', code: 'session_ended' });
  expect(broker.ledger(holder)?.revokeReason).toBe('upstream_ended');
});
