import { expect, test } from 'bun:test';
import { startChromium } from '../../support/chromium.ts';
import { freePort } from '../../support/free-port.ts';
import { startOidcProvider } from '../../support/oidc-provider.ts';
import { signInSite, siteRegistration } from '../../support/sign-in.ts';

test('a real browser signs in, and out at both ends', async () => {
  const port = freePort();
  await using provider = await startOidcProvider({ clients: [siteRegistration(port, 'home')] });
  await using site = await signInSite({ port, providers: [{ name: 'home', issuer: provider.issuer }] });
  await using chromium = await startChromium();
  const page = await chromium.newPage();
  page.setDefaultTimeout(5_000);
  const here = (path: string) => site.url(path).href;

  await page.goto(here('/sign-in/home?return_to=%2Fdeep%2Flink'));
  await page.fill('input[name=account]', 'alice');
  await page.click('text=Sign in');
  await page.waitForURL(here('/deep/link'));
  const cookies = await page.context().cookies(here('/'));
  expect(cookies).toMatchObject([{ name: `postern_${port}`, httpOnly: true, sameSite: 'Lax' }]);

  await page.goto(here('/sign-out'));
  expect(await page.textContent('main')).toContain('alice');
  await page.click('main button');
  await page.waitForURL(`${provider.issuer}/session/end**`);
  await page.click('text=Yes');
  await page.waitForURL(`${here('/signed-out')}**`);
  expect(await page.textContent('main')).toContain('You are signed out here and at home');
  expect(await page.context().cookies(here('/'))).toEqual([]);

  await page.goto(here('/sign-in/home'));
  expect(page.url()).toStartWith(`${provider.issuer}/interaction/`);
}, 30_000);
