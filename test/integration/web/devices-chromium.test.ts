import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test';
import type { Browser, Page } from 'playwright-core';
import { decodeQR } from 'qr/decode.js';
import { newDeviceKey } from '../../../src/signatures/ed25519-key.ts';
import { openProfile, startChromium } from '../../support/chromium.ts';
import { GOOD_PASSWORD } from '../../support/local-accounts.ts';
import { proofOf } from '../../support/pairing.ts';
import { type WebSite, webSite } from '../../support/web-site.ts';

setDefaultTimeout(30_000);

let chromium: Browser;
beforeAll(async () => {
  chromium = await startChromium();
});
afterAll(() => chromium.close());

async function signIn(page: Page, site: WebSite, path: string): Promise<void> {
  await page.goto(site.url(path).href);
  await page.fill('#username', 'ada');
  await page.fill('#password', GOOD_PASSWORD);
  await page.press('#password', 'Enter');
  await page.waitForURL(site.url(path).href);
}

/** Runs in the browser: the pixels of a PNG, four bytes each. */
const PIXELS = `async (png) => {
  const image = new Image();
  image.src = 'data:image/png;base64,' + png;
  await image.decode();
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [image.width, image.height];
  const context = canvas.getContext('2d');
  context.drawImage(image, 0, 0);
  const { width, height, data } = context.getImageData(0, 0, image.width, image.height);
  return { width, height, data: [...data] };
}`;

/** What a camera before the screen would read. */
async function readQr(page: Page): Promise<string> {
  const png = await page.locator('.qr').screenshot();
  const blank = await page.context().newPage();
  const picture = await blank.evaluate<{ width: number; height: number; data: number[] }>(
    `(${PIXELS})(${JSON.stringify(png.toString('base64'))})`,
  );
  await blank.close();
  return decodeQR({ ...picture, data: Uint8Array.from(picture.data) });
}

test.each(['light', 'dark'] as const)(
  'a code is made, and its picture can be read, in %s',
  async (colorScheme) => {
    await using site = await webSite();
    await site.accounts.addLocal('ada');
    await using profile = await openProfile(chromium);
    const { page, complaints } = profile;
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width: colorScheme === 'dark' ? 360 : 1200, height: 700 });
    await signIn(page, site, '/account/devices');
    await page.click('text=Make a code for a device');
    const link = await page.inputValue('#link');
    expect(link).toStartWith(`${site.origin.origin}/pair#`);
    expect(await readQr(page)).toBe(link);
    expect(await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth')).toBe(0);
    await page.click('text=Done');
    await page.click('text=Cancel');
    expect(await page.textContent('.notice')).toContain('The code is cancelled.');
    expect(complaints).toEqual([]);
  },
);

test('a device that shows a code is let in, by what both screens show', async () => {
  await using site = await webSite();
  const user = await site.accounts.addLocal('ada');
  await using profile = await openProfile(chromium);
  const { page, complaints } = profile;
  const key = newDeviceKey();
  const prove = (presented: string) => {
    const created = Math.floor(site.clock.now() / 1_000);
    const { public_key: publicKey, ...proof } = proofOf(presented, key, created, site.origin.origin);
    return { publicKey, ...proof };
  };
  const about = { name: 'Garage', serial: undefined, platform: undefined, chip: undefined, labels: {} };
  const { joins, devices } = site.devices;
  const begun = await joins.begin(about, prove('join'), '192.0.2.44');
  await signIn(page, site, '/device');
  await page.keyboard.type(begun.userCode.toLowerCase().replace('-', ' '));
  await page.keyboard.press('Enter');
  await page.waitForSelector('button[value="allow"]');
  expect(await page.textContent('main')).toMatch(/“Garage”.*([a-z2-7]{4} ){3}[a-z2-7]{4}.*192\.0\.2\.44/s);
  await page.click('text="Let it in"');
  await page.waitForURL(site.url('/device/done').href);
  const paired = await joins.redeem(begun.deviceCode, prove(begun.deviceCode), {
    address: undefined,
    userAgent: undefined,
  });
  expect(devices.find(paired.device.id)).toMatchObject({ userId: user.id, name: 'Garage' });
  await page.click('main >> text=Devices');
  await page.click('text=Garage');
  await page.check('[name=sure]');
  await page.click('button:has-text("Unpair")');
  expect(await page.textContent('.notice')).toContain('The device is unpaired.');
  expect(devices.find(paired.device.id)).toBeUndefined();
  expect(complaints).toEqual([]);
});
