import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { type Appliance, type AppliancePorts, startAppliance } from '../support/appliance.ts';
import { startChromium } from '../support/chromium.ts';

setDefaultTimeout(60_000);

const PASSWORD = 'harbour lantern teapot';

let chromium: Browser;
beforeAll(async () => {
  chromium = await startChromium();
});
afterAll(() => chromium?.close());

/** The compiled program in an empty directory; only its ports are the test's own. */
function fresh(): Promise<Appliance> {
  const toml = ({ port, metricsPort }: AppliancePorts) => `url = "http://localhost:${port}"
listen = "127.0.0.1:${port}"
metrics_listen = "127.0.0.1:${metricsPort}"
`;
  return startAppliance({ toml });
}

const urlOf = ({ port }: AppliancePorts) => `http://localhost:${port}`;

/** A fresh profile; what its pages complain of fails the test. */
async function profile() {
  const context = await chromium.newContext();
  const complaints: string[] = [];
  context.on('console', (message) => {
    if (/Content Security Policy|Refused to/.test(message.text())) complaints.push(message.text());
  });
  context.on('weberror', (error) => complaints.push(error.error().message));
  return {
    page: await context.newPage(),
    async [Symbol.asyncDispose]() {
      await context.close();
      expect(complaints).toEqual([]);
    },
  };
}

async function makeAccount(page: Page, link: string, username: string): Promise<void> {
  await page.goto(link);
  // The script takes the secret out of the address at once.
  await page.waitForURL((address) => address.hash === '');
  await page.fill('#username', username);
  await page.fill('#new_password', PASSWORD);
  await page.fill('#new_password_again', PASSWORD);
  await page.press('#new_password_again', 'Enter');
  await page.waitForURL(new URL('/', link).href);
  expect(await page.textContent('h1')).toBe(`Hello, ${username}`);
}

async function signIn(page: Page, username: string): Promise<void> {
  await page.fill('#username', username);
  await page.fill('#password', PASSWORD);
  await page.press('#password', 'Enter');
}

test('set up, invite, sign out and in, and end somebody’s sessions', async () => {
  await using appliance = await fresh();
  const url = urlOf(appliance);
  await using owner = await profile();
  await using guest = await profile();
  await owner.page.goto(`${url}/`);
  expect(await owner.page.textContent('main')).toContain('Nobody has set this site up yet');
  const setup = readFileSync(join(appliance.dataDir, 'setup-link'), 'utf8').trim();
  await makeAccount(owner.page, setup, 'ada');
  expect((await fetch(`${url}/setup`)).status).toBe(404);

  await owner.page.click('nav >> text=People');
  await owner.page.click('text=Make an invitation link');
  await makeAccount(guest.page, await owner.page.inputValue('textarea'), 'kim');
  expect(await guest.page.textContent('header')).not.toContain('People');

  await guest.page.click('text=Sign out');
  await guest.page.waitForURL(/signed-out/);
  await guest.page.goto(`${url}/account/tokens`);
  await signIn(guest.page, 'kim');
  await guest.page.waitForURL(`${url}/account/tokens`);

  await owner.page.goto(`${url}/admin/users`);
  await owner.page.click('main >> text=kim');
  await owner.page.click('text=End all sessions');
  await guest.page.reload();
  expect(guest.page.url()).toStartWith(`${url}/sign-in`);

  const { out } = await appliance.run('user', 'list');
  expect(out).toMatch(/ada .*owner[^]*kim .*member/);
});

test('a lost password is set anew by a link from the command line', async () => {
  await using appliance = await fresh();
  const url = urlOf(appliance);
  await using tab = await profile();
  expect((await appliance.run('user', 'create', 'lin')).exitCode).toBe(0);
  const { out } = await appliance.run('user', 'reset-password', 'lin');
  const [link = ''] = /http:\S+#\S+/.exec(out) ?? [];
  await tab.page.goto(link);
  await tab.page.waitForURL((address) => address.hash === '');
  await tab.page.fill('#new_password', PASSWORD);
  await tab.page.fill('#new_password_again', PASSWORD);
  await tab.page.press('#new_password_again', 'Enter');
  await tab.page.waitForLoadState();
  await tab.page.goto(`${url}/`);
  if (tab.page.url().includes('/sign-in')) await signIn(tab.page, 'lin');
  await tab.page.waitForURL(`${url}/`);
  expect(await tab.page.textContent('h1')).toBe('Hello, lin');
});
