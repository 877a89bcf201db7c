import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test';
import type { Browser } from 'playwright-core';
import { openApp } from '../../../src/app.ts';
import { configSchema } from '../../../src/config/schema.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { passwordHasher } from '../../../src/users/password-hash.ts';
import { openProfile, startChromium } from '../../support/chromium.ts';
import { temporaryDirectory } from '../../support/database.ts';
import { freePort } from '../../support/free-port.ts';
import { GOOD_PASSWORD } from '../../support/local-accounts.ts';
import { CHALLENGE, VERIFIER } from '../../support/oauth-client.ts';
import { recordedLog } from '../../support/silent-log.ts';

setDefaultTimeout(30_000);

let chromium: Browser;
beforeAll(async () => {
  chromium = await startChromium();
});
afterAll(() => chromium.close());

/** The whole appliance on loopback, with one person, and a client that waits for its answer. */
async function begin() {
  await using starting = new AsyncDisposableStack();
  const directory = starting.use(temporaryDirectory());
  const port = freePort();
  const config = configSchema.parse({
    url: `http://localhost:${port}`,
    listen: `127.0.0.1:${port}`,
    metrics_listen: `127.0.0.1:${freePort()}`,
    data_dir: `${directory.path}/data`,
  });
  const app = starting.use(await openApp(config, { clock: systemClock, log: recordedLog() }));
  const { people, db } = app.services;
  const hash = await passwordHasher().hash(GOOD_PASSWORD);
  await db.write((tx) => {
    const user = people.acts.createLocal(tx, { username: 'ada', role: 'owner', by: {} });
    people.passwords.set(tx, user.id, hash, systemClock.now());
  });
  const answered = Promise.withResolvers<URLSearchParams>();
  const client = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch(request) {
      const { pathname, searchParams } = new URL(request.url);
      if (pathname === '/callback') answered.resolve(searchParams);
      return new Response('<h1>Connected</h1>', { headers: { 'content-type': 'text/html' } });
    },
  });
  starting.defer(() => client.stop(true));
  const redirectUri = `http://127.0.0.1:${client.port}/callback`;
  const registered = await fetch(`${app.url}/oauth/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ redirect_uris: [redirectUri], client_name: 'A client' }),
  });
  const { client_id: clientId } = (await registered.json()) as { client_id: string };
  const running = starting.move();
  return {
    url: app.url,
    clientId,
    redirectUri,
    answer: answered.promise,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

test('a person signs in, consents, and is back at the client, past every policy of the pages', async () => {
  await using t = await begin();
  await using profile = await openProfile(chromium);
  const { page, complaints } = profile;
  const asked = new URLSearchParams({
    response_type: 'code',
    client_id: t.clientId,
    redirect_uri: t.redirectUri,
    code_challenge: CHALLENGE,
    code_challenge_method: 'S256',
    resource: `${t.url}/mcp/whoami`,
    state: 'xyz',
  });
  await page.goto(`${t.url}/oauth/authorize?${asked.toString()}`);
  await page.fill('#username', 'ada');
  await page.fill('#password', GOOD_PASSWORD);
  await page.press('#password', 'Enter');
  await page.waitForSelector('.redirect-host');
  expect(await page.textContent('.redirect-host')).toContain('this computer (127.0.0.1:');
  expect(await page.textContent('main')).toContain('“A client”');
  await page.click('button[value="allow"]');
  const answer = await t.answer;
  await page.waitForURL((url) => url.pathname === '/callback');
  expect(answer.get('state')).toBe('xyz');
  expect(answer.get('iss')).toBe(t.url);
  const redeemed = await fetch(`${t.url}/oauth/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      client_id: t.clientId,
      code: answer.get('code') ?? '',
      redirect_uri: t.redirectUri,
      code_verifier: VERIFIER,
    }),
  });
  expect(redeemed.status).toBe(200);
  await page.goto(`${t.url}/account/apps`);
  expect(await page.textContent('main')).toContain('“A client”');
  await page.click('button[aria-label="Disconnect A client"]');
  await page.waitForSelector('.notice');
  expect(await page.textContent('main')).toContain('None is connected.');
  expect(complaints).toEqual([]);
});
