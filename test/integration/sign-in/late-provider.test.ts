import { expect, test } from 'bun:test';
import { Browser } from '../../support/browser.ts';
import { freePort } from '../../support/free-port.ts';
import { startHostileProvider } from '../../support/hostile-provider.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { startOidcProvider } from '../../support/oidc-provider.ts';
import { signInSite, siteRegistration } from '../../support/sign-in.ts';

test('a provider that starts after us is down until then, and works at the next click', async () => {
  const [port, providerPort] = [freePort(), freePort()];
  const issuer = `http://127.0.0.1:${providerPort}`;
  await using site = await signInSite({ port, providers: [{ name: 'late', issuer }] });
  await site.feature.providers.refresh();
  const [provider] = site.feature.providers.all;
  expect(provider?.isAvailable()).toBeFalse();
  const warnings = site.accounts.base.log.lines.filter(({ level }) => level === 'warn');
  expect(warnings).toMatchObject([
    { message: 'a provider did not answer discovery', fields: { provider: 'late' } },
  ]);

  const browser = new Browser();
  const down = await browser.fetch(site.url('/sign-in/late'));
  expect(down.status).toBe(503);
  expect(Number(down.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(down.headers.getSetCookie()).toEqual([]);

  await using op = await startOidcProvider({ clients: [siteRegistration(port, 'late')], port: providerPort });
  await site.feature.providers.refresh();
  expect(provider?.isAvailable()).toBeTrue();
  await site.signIn(browser, op, 'late', 'alice');
  expect(await site.whoAmI(browser)).toBe('alice');
});

test('a click asks again by itself, but not at every one of them', async () => {
  const clock = new ManualClock();
  const providerPort = freePort();
  const issuer = `http://127.0.0.1:${providerPort}`;
  await using site = await signInSite({ clock, providers: [{ name: 'late', issuer }] });
  await site.feature.providers.refresh();
  await using op = await startHostileProvider({ port: providerPort });
  expect((await new Browser().fetch(site.url('/sign-in/late'))).status).toBe(503);
  expect(op.seen.size).toBe(0);
  await clock.advance(3_000);
  const answers = await Promise.all([1, 2, 3].map(() => new Browser().fetch(site.url('/sign-in/late'))));
  expect(answers.map(({ status }) => status)).toEqual([303, 303, 303]);
  expect(op.seen.get('/.well-known/openid-configuration')).toBe(1);
});

test('what a provider publishes is read again, and kept while the provider is down', async () => {
  const clock = new ManualClock();
  await using op = await startHostileProvider();
  await using site = await signInSite({ clock, providers: [{ name: 'op', issuer: op.issuer }] });
  await site.feature.providers.refresh();
  await site.feature.providers.refresh();
  const reads = () => op.seen.get('/.well-known/openid-configuration');
  expect(reads()).toBe(1);
  op.behaviour = { everything: () => new Response('down', { status: 503 }) };
  await clock.advance(site.config.sign_in.metadata_refresh);
  await site.feature.providers.refresh();
  expect(reads()).toBeGreaterThan(1);
  expect((await new Browser().fetch(site.url('/sign-in/op'))).status).toBe(303);
});

test('a provider that calls itself something else is not believed, and the log tells what it calls itself', async () => {
  await using op = await startHostileProvider({ metadata: { issuer: 'https://id.example/' } });
  await using site = await signInSite({ providers: [{ name: 'op', issuer: op.issuer }] });
  await site.feature.providers.refresh();
  expect((await new Browser().fetch(site.url('/sign-in/op'))).status).toBe(503);
  expect(site.accounts.base.log.lines[0]?.fields).toMatchObject({ published_issuer: 'https://id.example/' });
});

test.each([
  ['no JSON', () => new Response('<html>')],
  ['a redirect', () => Response.redirect('http://127.0.0.1:1/')],
  ['an endless answer', () => new Response('x'.repeat(2_000_000))],
  ['an empty object', () => Response.json({})],
])('a provider that answers discovery with %s is down', async (_what, everything) => {
  await using op = await startHostileProvider();
  op.behaviour = { everything };
  await using site = await signInSite({ providers: [{ name: 'op', issuer: op.issuer }] });
  await site.feature.providers.refresh();
  expect((await new Browser().fetch(site.url('/sign-in/op'))).status).toBe(503);
});

test('a provider that does not answer at all is given up in time, and holds up no shutdown', async () => {
  const clock = new ManualClock();
  await using op = await startHostileProvider();
  const asked = Promise.withResolvers<void>();
  op.behaviour = { everything: () => (asked.resolve(), new Response(new ReadableStream({ start() {} }))) };
  await using site = await signInSite({ clock, providers: [{ name: 'op', issuer: op.issuer }] });
  const click = new Browser().fetch(site.url('/sign-in/op'));
  await asked.promise;
  await clock.advance(site.config.sign_in.discovery_timeout);
  expect((await click).status).toBe(503);
  void new Browser().fetch(site.url('/sign-in/op')).catch(() => undefined);
});
