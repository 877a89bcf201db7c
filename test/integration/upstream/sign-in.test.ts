import { afterEach, expect, test } from 'bun:test';
import { Browser } from '../../support/browser.ts';
import { type LinkSite, linkSite, WORK } from '../../support/linked-accounts.ts';

let links: LinkSite;

afterEach(() => links[Symbol.asyncDispose]());

async function signIn(browser: Browser) {
  const page = await browser.visit(links.site.url(`/sign-in/${WORK}`));
  const visit = await links.provider.signIn(browser, page, 'ada');
  const user = links.site.accounts.people.store.findByIdentity(links.provider.issuer, 'ada');
  if (user === undefined) throw new Error(`nobody signed in: ${visit.text}`);
  return { page, user };
}

function signOutAtProvider({ cookies }: Browser) {
  const { issuer } = links.provider;
  const gone = cookies.names(issuer).map((name) => `${name}=; Path=/; Max-Age=0`);
  cookies.store(new URL(issuer), gone);
}

test('tokens that last are kept at sign-in, where a backend is given them', async () => {
  links = await linkSite({ signsIn: true, keepsOffline: true });
  const browser = new Browser();
  const { user } = await signIn(browser);
  const { tokens } = links.site.upstream;
  const first = await tokens.current(user.id, WORK);
  expect(first).toMatchObject({ version: 1 });
  await links.clock.advance(56 * 60_000);
  expect(await tokens.current(user.id, WORK)).toMatchObject({ version: 2 });
  await signIn(new Browser());
  expect(await tokens.current(user.id, WORK)).toMatchObject({ version: 3 });
});

test('tokens that do not last are not, until the account is linked with consent', async () => {
  links = await linkSite({ signsIn: true });
  const browser = new Browser();
  const { user } = await signIn(browser);
  const { tokens } = links.site.upstream;
  expect(tokens.isLinked(user.id, WORK)).toBe(false);
  const asked = await links.begin(browser);
  expect(asked.path[0]).toContain('prompt=consent');
  expect(asked.path[0]).toContain('offline_access');
  await links.provider.signIn(browser, asked, 'ada');
  expect(tokens.isLinked(user.id, WORK)).toBe(true);
});

test('a sign-in with tokens that do not last leaves those of the link alone', async () => {
  links = await linkSite({ signsIn: true });
  const browser = new Browser();
  const { user } = await signIn(browser);
  await links.link(browser, 'ada');
  await signIn(new Browser());
  expect(await links.site.upstream.tokens.current(user.id, WORK)).toMatchObject({ version: 1 });
});

test('a sign-in does not take the place of another account that was linked on purpose', async () => {
  links = await linkSite({ signsIn: true, keepsOffline: true });
  const browser = new Browser();
  const { user } = await signIn(browser);
  signOutAtProvider(browser);
  await links.link(browser, 'ada-the-bot');
  const { tokens } = links.site.upstream;
  const bot = await tokens.current(user.id, WORK);
  await signIn(new Browser());
  expect(await tokens.current(user.id, WORK)).toEqual(bot);
  await links.site.upstream.linking.unlink(WORK, { userId: user.id });
  await signIn(new Browser());
  expect(tokens.isLinked(user.id, WORK)).toBe(true);
});
