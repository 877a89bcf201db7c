import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { upstreamGrants } from '../../../src/db/schema/index.ts';
import { Browser } from '../../support/browser.ts';
import { type LinkSite, linkSite, TASKS, WORK } from '../../support/linked-accounts.ts';
import { openGrantAt } from '../../support/upstream.ts';

let links: LinkSite;

beforeAll(async () => {
  links = await linkSite();
});

afterAll(() => links[Symbol.asyncDispose]());

const tokens = () => links.site.upstream.tokens;
const rows = () => links.site.accounts.base.db.reader.select().from(upstreamGrants).all();

describe('an account', () => {
  test('is linked by a click and a consent, and comes back to where it was wanted', async () => {
    const { browser, user } = await links.site.signedIn('ada');
    expect((await links.site.get(browser, '/account/links')).text).toContain('not linked');
    const asking = await links.site.get(browser, tokens().linkUrl(WORK, '/account/tokens'));
    expect(asking.text).toContain('Go on to work');
    expect(asking.text).toContain(TASKS);
    const { url } = await links.link(browser, 'ada-at-work', '/account/tokens');
    expect(url.pathname).toBe('/account/tokens');
    expect(tokens().isLinked(user.id, WORK)).toBe(true);
    expect(await tokens().current(user.id, WORK)).toMatchObject({
      accessToken: expect.stringMatching(/^[\w-]{20,}$/),
      version: 1,
    });
    const page = await links.site.get(browser, '/account/links');
    expect(page.text).toContain('ada-at-work');
    expect(page.text).toContain('Unlink work');
    expect(await links.site.accounts.actions()).toContain('upstream.linked');
  });

  test('is kept sealed, and opens in its own row alone', async () => {
    const one = await links.linked('babbage');
    const other = await links.linked('byron');
    const { accessToken = '' } = (await tokens().current(one.userId, WORK)) ?? {};
    expect(JSON.stringify(rows())).not.toContain(accessToken);
    const { db } = links.site.accounts.base;
    const [first, second] = [one, other].map(({ userId }) => rows().find((row) => row.userId === userId));
    await db.write((tx) =>
      tx.run(
        `UPDATE upstream_grants SET sealed_access_token = '${first?.sealedAccessToken}' WHERE id = '${second?.id}'`,
      ),
    );
    expect(await tokens().current(other.userId, WORK)).toBeUndefined();
    expect(tokens().isLinked(other.userId, WORK)).toBe(false);
    expect((await links.site.get(other.browser, '/account/links')).text).toContain('has to be linked again');
  });

  test('that another person signs in here with is refused', async () => {
    const { browser, user } = await links.site.signedIn('carol');
    const { base, people } = links.site.accounts;
    const dave = await links.site.signedIn('dave');
    const at = base.clock.now();
    await base.db.write((tx) =>
      people.store.insertIdentity(
        tx,
        { issuer: links.provider.issuer, subject: 'dave-at-work', provider: WORK, userId: dave.user.id },
        { at, invited: false },
      ),
    );
    const { response, text } = await links.link(browser, 'dave-at-work');
    expect(response.status).toBe(403);
    expect(text).toContain('somebody else’s');
    expect(tokens().isLinked(user.id, WORK)).toBe(false);
    expect((await links.link(dave.browser, 'dave-at-work')).response.status).toBe(200);
  });
});

describe('a link is refused', () => {
  test('when the person says no at the provider', async () => {
    const { browser, user } = await links.site.signedIn('erin');
    const { response, text } = await links.provider.deny(browser, await links.begin(browser));
    expect(response.status).toBe(403);
    expect(text).toContain('Nothing was linked');
    expect(text).toContain(`/account/links/${WORK}?return_to=`);
    expect(tokens().isLinked(user.id, WORK)).toBe(false);
  });

  test('in another browser, and still good in its own', async () => {
    const { browser, user } = await links.site.signedIn('frank');
    const back = await backFrom(browser, 'frank-at-work');
    const stranger = await links.site.signedIn('mallory');
    const { response } = await stranger.browser.visit(back);
    expect(response.status).toBe(400);
    expect((await new Browser().visit(back)).response.status).toBe(400);
    expect(tokens().isLinked(stranger.user.id, WORK)).toBe(false);
    expect((await browser.visit(back)).response.status).toBe(200);
    expect(tokens().isLinked(user.id, WORK)).toBe(true);
  });

  test('the second time', async () => {
    const { browser } = await links.site.signedIn('grace');
    const back = await backFrom(browser, 'grace-at-work');
    const [first, second] = await Promise.all([browser.visit(back), browser.visit(back)]);
    const statuses = [first.response.status, second.response.status];
    expect(statuses.toSorted((one, other) => one - other)).toEqual([200, 400]);
  });

  test('once the session that began it has ended', async () => {
    const { browser, user } = await links.site.signedIn('heidi');
    const back = await backFrom(browser, 'heidi-at-work');
    await links.site.post(browser, '/sign-out');
    await links.site.signIn(browser, 'heidi');
    const { response } = await browser.visit(back);
    expect(response.status).toBe(400);
    expect(tokens().isLinked(user.id, WORK)).toBe(false);
  });

  test('after ten minutes', async () => {
    const { browser, user } = await links.site.signedIn('ivan');
    const back = await backFrom(browser, 'ivan-at-work');
    await links.clock.advance(10 * 60_000);
    expect((await browser.visit(back)).response.status).toBe(400);
    expect(tokens().isLinked(user.id, WORK)).toBe(false);
  });

  test.each(['code=forged', 'error=server_error', 'iss=https%3A%2F%2Fevil.example&code=x'])(
    'when what comes back does not hold: %s',
    async (query) => {
      const { browser, user } = await links.site.signedIn(`judy-${query.length}`);
      const back = await backFrom(browser, 'judy-at-work');
      const state = new URL(back).searchParams.get('state') ?? '';
      const forged = links.site.url(`/callback/${WORK}?state=${state}&${query}`);
      const { status } = (await browser.visit(forged)).response;
      expect([400, 503]).toContain(status);
      expect(tokens().isLinked(user.id, WORK)).toBe(false);
    },
  );

  test.each([
    ['lnk_aaaaaaaaaaaaaaaaaaaaaaaaaa', 400],
    ['lnk_short', 404],
    ['', 404],
  ])('for the state "%s"', async (state, status) => {
    const { browser } = await links.site.signedIn(`mike-${state.length}`);
    const url = links.site.url(`/callback/${WORK}?code=x&state=${state}`);
    expect((await browser.visit(url)).response.status).toBe(status);
  });

  test('when a page elsewhere begins it, or nobody is signed in', async () => {
    const { browser } = await links.site.signedIn('oscar');
    const target = links.site.url(`/account/links/${WORK}`);
    const crossed = await browser.submit(target, { return_to: '/' }, 'https://evil.example');
    expect(crossed.response.status).toBe(403);
    expect((await new Browser().submit(target, { return_to: '/' })).response.status).toBe(401);
    const unknown = await browser.submit(links.site.url('/account/links/nowhere'), {});
    expect(unknown.response.status).toBe(404);
  });

  test('to a page elsewhere: it leads to the list', async () => {
    const { browser } = await links.site.signedIn('peggy');
    const { url } = await links.link(browser, 'peggy-at-work', 'https://evil.example/');
    expect(url.href).toBe(links.site.url('/account/links').href);
  });
});

describe('unlinking', () => {
  test('ends the connected apps that depend on it, tells the provider, and leaves the browser signed in', async () => {
    const { browser, userId } = await links.linked('rupert');
    const { base } = links.site.accounts;
    const other = await openGrantAt(base, userId, 'plain');
    const ended: string[] = [];
    using _listener = tokens().onEnded(({ provider }) => ended.push(provider));
    links.asked.length = 0;
    const page = await links.site.post(browser, `/account/links/${WORK}/unlink`);
    expect(page.text).toContain('revoked at the service');
    expect(links.asked.filter((path) => path === '/token/revocation')).toHaveLength(2);
    expect(tokens().isLinked(userId, WORK)).toBe(false);
    expect(await tokens().current(userId, WORK)).toBeUndefined();
    expect(ended).toEqual([WORK]);
    expect((await base.ledger.list(userId)).map(({ kind, label }) => label ?? kind)).toEqual(
      expect.arrayContaining(['user', 'plain']),
    );
    expect((await base.ledger.list(userId)).map(({ label }) => label)).not.toContain(TASKS);
    expect((await base.ledger.find(other.session.id))?.status).toBe('active');
    expect(await links.site.accounts.actions()).toContain('upstream.unlinked');
    expect((await links.site.post(browser, `/account/links/${WORK}/unlink`)).response.status).toBe(404);
  });

  test('happens here though the provider does not answer', async () => {
    const { browser, userId } = await links.linked('sybil');
    const { intercept } = links.provider;
    links.provider.intercept = (_path, response) => void response.writeHead(503).end();
    const page = await links.site.post(browser, `/account/links/${WORK}/unlink`);
    links.provider.intercept = intercept;
    expect(page.text).toContain('did not answer');
    expect(tokens().isLinked(userId, WORK)).toBe(false);
  });
});

test('linking again replaces the tokens, and tells whoever runs with the old ones', async () => {
  const { browser, userId } = await links.linked('trent');
  const before = await tokens().current(userId, WORK);
  const heard: number[] = [];
  using _listener = tokens().onRefreshed(({ token }) => heard.push(token.version));
  await links.link(browser, 'trent-at-work');
  const after = await tokens().current(userId, WORK);
  expect(after?.accessToken).not.toBe(before?.accessToken);
  expect(heard).toEqual([2]);
  expect((await links.site.accounts.base.ledger.list(userId)).map(({ label }) => label)).toContain(TASKS);
});

/** The provider's way back, not yet gone. */
async function backFrom(browser: Browser, subject: string): Promise<URL> {
  const page = await links.begin(browser);
  const { url } = await links.provider.signIn(browser, page, subject, ({ pathname }) =>
    pathname.startsWith('/callback/'),
  );
  return url;
}
