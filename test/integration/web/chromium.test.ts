import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { join } from 'node:path';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import type { Device } from '../../../src/devices/model.ts';
import type { UserId } from '../../../src/users/model.ts';
import { startChromium } from '../../support/chromium.ts';
import { connectTunnel } from '../../support/hub-tunnel.ts';
import { GOOD_PASSWORD, OTHER_PASSWORD } from '../../support/local-accounts.ts';
import { pairSiteDevice } from '../../support/site-device.ts';
import { type WebSite, webSite } from '../../support/web-site.ts';

setDefaultTimeout(30_000);

/** Runs in the page: what a person with a reader, a phone or weak eyes would stumble over. */
const INSPECTION = await Bun.file(join(import.meta.dir, '../../support/inspect-page.client.js')).text();
interface Findings {
  unlabelled: string[];
  headings: number;
  overflow: number;
  pale: string[];
}

let chromium: Browser;
beforeAll(async () => {
  chromium = await startChromium();
});
afterAll(() => chromium.close());

/** A page of a fresh profile, with what the browser complains of (a policy that was broken, a script that failed). */
async function open(options: BrowserContextOptions = {}) {
  const context = await chromium.newContext(options);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (/Content Security Policy|Refused to|Uncaught/.test(message.text())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  return { page, complaints, [Symbol.asyncDispose]: () => context.close() };
}

async function fillNewAccount(page: Page, username: string) {
  await page.fill('#username', username);
  await page.fill('#new_password', GOOD_PASSWORD);
  await page.fill('#new_password_again', GOOD_PASSWORD);
}

const siteOf = ({ devices, origin, clock }: WebSite) => ({ devices, origin: origin.origin, clock });
/** Words without an end, as people and devices may choose them. */
const LABELLED = {
  name: 'K'.repeat(90),
  serial: 'S'.repeat(60),
  labels: { ['l'.repeat(32)]: 'v'.repeat(60) },
};

/** Something in every part of the page of a device. */
async function fillDevicePage({ hub, devices }: WebSite, userId: UserId, device: Device): Promise<void> {
  await connectTunnel(hub, device);
  hub.open(device, { kind: 'websocket', service: 'w'.repeat(31), sessionId: device.sessionId, userId });
  await devices.deliveries.queue(device, { body: 'x'.repeat(500), lifetimeMs: undefined }, { userId });
  await devices.devices.report(device, {
    version: 'v'.repeat(60),
    state: { ['s'.repeat(32)]: 't'.repeat(250) },
  });
}

async function setupLink({ accounts }: WebSite): Promise<string> {
  return (await accounts.local.setup.makeLink()) ?? '';
}

describe('a link with a secret', () => {
  test('fills itself in, by the Enter key alone makes the account, and leaves no secret in the address', async () => {
    await using site = await webSite({ providers: [PROVIDER] });
    await using tab = await open();
    const link = await setupLink(site);
    await tab.page.goto(link);
    expect(await tab.page.isVisible('#link')).toBe(false);
    expect(tab.page.url()).toBe(site.url('/setup').href);
    await fillNewAccount(tab.page, 'mum');
    await tab.page.press('#new_password_again', 'Enter');
    await tab.page.waitForURL(site.url('/').href);
    expect(await tab.page.textContent('h1')).toBe('Hello, mum');
    expect(tab.complaints).toEqual([]);
  });

  test('can be pasted where there is no script', async () => {
    await using site = await webSite();
    await using tab = await open({ javaScriptEnabled: false });
    const { link } = await site.accounts.local.invitations.invite('member', {});
    await tab.page.goto(link);
    await tab.page.fill('#link', link);
    await fillNewAccount(tab.page, 'kid');
    await tab.page.click('text=Make my account');
    await tab.page.waitForURL(site.url('/').href);
    expect(await tab.page.textContent('h1')).toBe('Hello, kid');
  });

  test('survives a mistake in the form', async () => {
    await using site = await webSite();
    await using tab = await open();
    await tab.page.goto(await setupLink(site));
    await fillNewAccount(tab.page, 'mum');
    await tab.page.fill('#new_password_again', OTHER_PASSWORD);
    await tab.page.click('text=Make the owner account');
    expect(await tab.page.textContent('[role=alert]')).toContain('not the same');
    await fillNewAccount(tab.page, 'mum');
    await tab.page.click('text=Make the owner account');
    await tab.page.waitForURL(site.url('/').href);
  });
});

const PROVIDER = {
  name: 'home',
  label: 'Home',
  issuer: 'http://127.0.0.1:9',
  client_id: 'postern',
  client_secret: 'a secret of the tests, long enough',
  allow: 'everyone',
};

test('without script: sign in, see the sessions, end the others, sign out', async () => {
  await using site = await webSite();
  await site.accounts.addLocal('alice');
  await using tab = await open({ javaScriptEnabled: false });
  await using other = await open({ javaScriptEnabled: false });
  for (const { page } of [other, tab]) {
    await page.goto(site.url('/account/sessions').href);
    await page.fill('#username', 'alice');
    await page.fill('#password', GOOD_PASSWORD);
    await page.press('#password', 'Enter');
    await page.waitForURL(site.url('/account/sessions').href);
  }
  expect(await tab.page.locator('tbody tr').count()).toBe(2);
  expect(await tab.page.locator('.badge').count()).toBe(1);
  await tab.page.click('text=Sign out everywhere else');
  expect(await tab.page.locator('tbody tr').count()).toBe(1);
  await other.page.reload();
  expect(new URL(other.page.url()).pathname).toBe('/sign-in');
  await tab.page.click('td >> text=Sign out');
  await tab.page.waitForURL(site.url('/signed-out').href);
  expect(tab.complaints).toEqual([]);
});

test.each(['light', 'dark'] as const)(
  'every field has a label and text stands out, in %s',
  async (colorScheme) => {
    await using site = await webSite();
    const user = await site.accounts.addLocal('mum', 'owner');
    const { device } = await pairSiteDevice(siteOf(site), user.id, LABELLED);
    await site.devices.pairings.create({ userId: user.id, sessionId: undefined });
    await fillDevicePage(site, user.id, device);
    await using tab = await open({ colorScheme, viewport: { width: 360, height: 640 } });
    await tab.page.goto(site.url('/sign-in').href);
    await tab.page.fill('#username', 'mum');
    await tab.page.fill('#password', GOOD_PASSWORD);
    await tab.page.press('#password', 'Enter');
    const paths = [
      '/',
      '/account/sessions',
      '/account/tokens',
      '/account/password',
      '/account/devices',
      `/account/devices/${device.handle}`,
      '/device',
      '/device/done',
      '/pair',
      '/admin/devices',
      '/admin/users',
      `/admin/users/${user.id}`,
      '/admin/audit',
      '/invitation',
      '/reset-password',
      '/sign-out',
    ];
    for (const path of paths) {
      await tab.page.goto(site.url(path).href);
      const found = await tab.page.evaluate<Findings>(INSPECTION);
      expect({ path, ...found }).toEqual({ path, unlabelled: [], headings: 1, overflow: 0, pale: [] });
    }
    expect(tab.complaints).toEqual([]);
  },
);
