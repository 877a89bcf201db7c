import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { join } from 'node:path';
import { startChromium } from '../../support/chromium.ts';
import { type LinkSite, linkSite, WORK } from '../../support/linked-accounts.ts';
import { GOOD_PASSWORD } from '../../support/local-accounts.ts';

setDefaultTimeout(30_000);

const INSPECTION = await Bun.file(join(import.meta.dir, '../../support/inspect-page.client.js')).text();

let links: LinkSite;

beforeAll(async () => {
  links = await linkSite();
});

afterAll(() => links[Symbol.asyncDispose]());

describe('a secret', () => {
  test('is asked for by the servers that want it, stored, and removed', async () => {
    const { browser, user } = await links.site.signedIn('ada');
    const { tokens } = links.site.upstream;
    const asking = await links.site.get(browser, '/account/links');
    expect(asking.text).toContain('TOKEN');
    expect(asking.text).toContain('Not given yet');
    const stored = await links.site.post(browser, '/account/links/secrets', {
      name: 'TOKEN',
      value: 'ghp_x1',
    });
    expect(stored.text).toContain('The secret is stored.');
    expect(stored.text).not.toContain('ghp_x1');
    expect(tokens.secret(user.id, 'TOKEN')).toBe('ghp_x1');
    const removed = await links.site.post(browser, '/account/links/secrets/remove', { name: 'TOKEN' });
    expect(removed.text).toContain('The secret is removed.');
    expect(tokens.secret(user.id, 'TOKEN')).toBeUndefined();
  });

  test.each([
    ['of a name that nobody asks for', { name: 'OTHER', value: 'x' }, 'No app here asks'],
    ['of two lines', { name: 'TOKEN', value: 'ghp_1\nghp_2' }, 'one line'],
    ['without a value', { name: 'TOKEN' }, 'one line'],
  ])('%s comes back with a word on why, and without the value', async (_what, fields, words) => {
    const { browser } = await links.site.signedIn(`bob-${words.length}-${Object.keys(fields).length}`);
    const { response, text } = await links.site.post(browser, '/account/links/secrets', fields);
    expect(response.status).toBe(422);
    expect(text).toContain(words);
    expect(text).not.toContain('ghp_1');
  });
});

test('what a provider calls an account is text, whatever it is', async () => {
  const { browser } = await links.site.signedIn('carol');
  await links.link(browser, '<img src=x onerror=alert(1)>');
  const { text } = await links.site.get(browser, '/account/links');
  expect(text).not.toContain('<img');
  expect(text).toContain('&lt;img');
});

describe('in a browser', () => {
  test('an account is linked and unlinked with clicks alone, and nothing breaks our policy', async () => {
    await links.site.accounts.addLocal('dora');
    await using chromium = await startedChromium();
    const page = await chromium.browser.newPage();
    const complaints: string[] = [];
    page.on('console', (message) => {
      if (/Content Security Policy|Refused to|Uncaught/.test(message.text())) complaints.push(message.text());
    });
    await page.goto(links.site.url('/sign-in?return_to=/account/links').href);
    await page.fill('#username', 'dora');
    await page.fill('#password', GOOD_PASSWORD);
    await page.press('#password', 'Enter');
    await page.waitForURL(links.site.url('/account/links').href);
    await page.click(`a[href="/account/links/${WORK}"]`);
    await page.click('main button');
    await page.waitForURL(/\/interaction\//);
    await page.fill('input[name="account"]', 'dora-at-work');
    await page.click('text=Sign in');
    await page.waitForURL(links.site.url('/account/links').href);
    expect(await page.textContent('main')).toContain('dora-at-work');
    for (const width of [320, 1_200]) {
      await page.setViewportSize({ width, height: 800 });
      const found: unknown = await page.evaluate(INSPECTION);
      expect(found).toMatchObject({ unlabelled: [], headings: 1, overflow: 0, pale: [] });
    }
    await page.click('text=Unlink');
    await page.waitForURL(/done=unlinked/);
    expect(await page.textContent('main')).toContain('revoked at the service');
    expect(complaints).toEqual([]);
  });
});

async function startedChromium() {
  const browser = await startChromium();
  return { browser, [Symbol.asyncDispose]: () => browser.close() };
}
