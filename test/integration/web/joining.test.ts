import { describe, expect, test } from 'bun:test';
import { Browser } from '../../support/browser.ts';
import { freePort } from '../../support/free-port.ts';
import { GOOD_PASSWORD, OTHER_PASSWORD } from '../../support/local-accounts.ts';
import { startOidcProvider } from '../../support/oidc-provider.ts';
import { CLIENT_ID, CLIENT_SECRET, siteRegistration } from '../../support/sign-in.ts';
import { type WebSite, webSite } from '../../support/web-site.ts';

const fields = (username: string, link: string, more: Record<string, string> = {}) => ({
  link,
  username,
  display_name: '',
  new_password: GOOD_PASSWORD,
  new_password_again: GOOD_PASSWORD,
  via: 'password',
  ...more,
});

async function setupLink({ accounts }: WebSite): Promise<string> {
  const link = await accounts.local.setup.makeLink();
  if (link === undefined) throw new Error('there is no setup link');
  return link;
}

/** A site with a provider that lets nobody in by its rules. */
async function siteWithProvider() {
  const port = freePort();
  const provider = await startOidcProvider({
    clients: [siteRegistration(port, 'home')],
    accounts: {
      dad: { preferred_username: 'dad', name: 'Dad', email: 'dad@example.org', email_verified: true },
    },
  });
  const client = { client_id: CLIENT_ID, client_secret: CLIENT_SECRET };
  const site = await webSite({
    port,
    providers: [
      { name: 'home', label: 'Home', issuer: provider.issuer, allow: { groups: ['nobody'] }, ...client },
    ],
  });
  return { site, provider };
}

describe('setting up', () => {
  test('makes the owner, who is signed in, and is gone afterwards', async () => {
    await using site = await webSite();
    const link = await setupLink(site);
    const browser = new Browser();
    expect((await site.get(browser, '/sign-in')).text).toContain('Nobody has set this site up yet');
    expect((await site.get(browser, '/setup')).text).toContain('data-from-fragment');
    const done = await site.post(browser, '/setup', fields('mum', link, { display_name: 'Mum <b>' }));
    expect(done.url.pathname).toBe('/');
    expect(done.text).toContain('Hello, Mum &lt;b&gt;');
    expect(done.text).toContain('Owner of this site');
    const gone = await site.get(new Browser(), '/setup');
    expect(gone.response.status).toBe(404);
    expect((await site.post(new Browser(), '/setup', fields('dad', link))).response.status).toBe(404);
  });

  test('stays gone when every user was removed', async () => {
    await using site = await webSite();
    const user = await site.accounts.addLocal('only');
    await site.accounts.people.acts.remove(user.id, {});
    expect((await site.get(new Browser(), '/setup')).response.status).toBe(404);
    expect((await site.get(new Browser(), '/sign-in')).text).toContain('no way to sign in');
  });

  test('of two submits at once makes one owner', async () => {
    await using site = await webSite();
    const link = await setupLink(site);
    const visits = await Promise.all(
      ['mum', 'dad'].map((name) => site.post(new Browser(), '/setup', fields(name, link))),
    );
    expect(visits.map(({ response }) => response.status).toSorted((a, b) => a - b)).toEqual([200, 404]);
    expect(site.accounts.people.store.list()).toHaveLength(1);
  });

  test('says what is wrong, and keeps what was right', async () => {
    await using site = await webSite();
    const link = await setupLink(site);
    const secret = link.split('#')[1] ?? '';
    const browser = new Browser();
    const post = (more: Record<string, string>) => site.post(browser, '/setup', fields('mum', link, more));

    const differ = await post({ new_password_again: 'another one entirely' });
    expect(differ.response.status).toBe(422);
    expect(differ.text).toContain('not the same');
    expect(differ.text).toContain('value="mum"');
    expect(differ.text).toContain(`type="hidden" name="link" value="${secret}"`);
    expect(differ.text).not.toContain(GOOD_PASSWORD);

    expect((await post({ new_password: 'short', new_password_again: 'short' })).text).toContain(
      'at least 15',
    );
    const hostile = await post({ username: '"><script>alert(1)</script>' });
    expect(hostile.response.status).toBe(422);
    expect(hostile.text).not.toContain('<script>alert');
    const badLink = await post({ link: 'x'.repeat(43) });
    expect(badLink.response.status).toBe(410);
    expect(badLink.text).toContain('data-from-fragment');
    expect(site.accounts.people.store.count()).toBe(0);
  });

  test('through a provider makes its person the owner, whom its rules need not name', async () => {
    const { site, provider } = await siteWithProvider();
    await using stack = new AsyncDisposableStack();
    stack.use(provider);
    stack.use(site);
    const browser = new Browser();
    const wrong = await site.post(browser, '/setup', { link: 'nothing', via: 'provider:home' });
    expect([wrong.response.status, wrong.text.includes('A restart of Postern makes a new one')]).toEqual([
      410,
      true,
    ]);
    const onward = await site.post(browser, '/setup', { link: await setupLink(site), via: 'provider:home' });
    expect(onward.response.status).toBe(200);
    const page = await browser.visit(refreshTarget(onward.response));
    const home = await provider.signIn(browser, page, 'dad');
    expect(home.text).toContain('Hello, Dad');
    const dad = site.accounts.people.store.findByUsername('dad');
    expect(dad).toMatchObject({ role: 'owner', email: 'dad@example.org' });

    const again = new Browser();
    const later = await provider.signIn(again, await site.get(again, '/sign-in/home'), 'dad');
    expect(later.text).toContain('Hello, Dad');
    const stranger = new Browser();
    const refused = await provider.signIn(stranger, await site.get(stranger, '/sign-in/home'), 'eve');
    expect(refused.response.status).toBe(403);
  });
});

/** Where a page that goes on by itself leads. */
function refreshTarget(response: Response): string {
  return (response.headers.get('refresh') ?? '').replace(/^0; url=/, '');
}

describe('an invitation', () => {
  test('lets one person in, with a password', async () => {
    await using site = await webSite();
    const { link } = await site.accounts.local.invitations.invite('member', {});
    const browser = new Browser();
    expect((await site.get(browser, '/invitation')).response.status).toBe(200);
    const done = await site.post(browser, '/invitation', fields('kid', link));
    expect(done.text).toContain('Hello, kid');
    const again = await site.post(new Browser(), '/invitation', fields('two', link));
    expect(again.response.status).toBe(410);
    expect(again.text).toContain('not good');
  });

  test('lets somebody in through a provider', async () => {
    const { site, provider } = await siteWithProvider();
    await using stack = new AsyncDisposableStack();
    stack.use(provider);
    stack.use(site);
    const { link } = await site.accounts.local.invitations.invite('member', {});
    const browser = new Browser();
    const onward = await site.post(browser, '/invitation', { link, via: 'provider:home' });
    const home = await provider.signIn(browser, await browser.visit(refreshTarget(onward.response)), 'dad');
    expect(home.text).toContain('Hello, Dad');
    const used = await site.post(new Browser(), '/invitation', { link, via: 'provider:home' });
    expect(used.response.status).toBe(410);
  });

  test('voided while its person is at the provider lets nobody in', async () => {
    const { site, provider } = await siteWithProvider();
    await using stack = new AsyncDisposableStack();
    stack.use(provider);
    stack.use(site);
    const { link, id } = await site.accounts.local.invitations.invite('member', {});
    const browser = new Browser();
    const onward = await site.post(browser, '/invitation', { link, via: 'provider:home' });
    const page = await browser.visit(refreshTarget(onward.response));
    await site.accounts.local.invitations.void(id, {});
    const refused = await provider.signIn(browser, page, 'dad');
    expect(refused.response.status).toBe(400);
    expect(site.accounts.people.store.count()).toBe(0);
  });

  test('at an unknown provider is refused', async () => {
    await using site = await webSite();
    const { link } = await site.accounts.local.invitations.invite('member', {});
    const visit = await site.post(new Browser(), '/invitation', { link, via: 'provider:nowhere' });
    expect(visit.response.status).toBe(404);
    expect(await site.accounts.local.invitations.list()).toHaveLength(1);
  });
});

test('a link for a new password sets it, signs in and ends what was before', async () => {
  await using site = await webSite();
  const { browser: before, user } = await site.signedIn('alice');
  const { link } = await site.accounts.local.invitations.issueReset(user.id, {});
  const browser = new Browser();
  const set = (password: string, again = password) =>
    site.post(browser, '/reset-password', { link, new_password: password, new_password_again: again });
  expect((await site.get(browser, '/reset-password')).text).toContain('data-from-fragment');
  expect((await set(OTHER_PASSWORD, 'slip')).response.status).toBe(422);
  expect((await set('alice alice alice alice')).response.status).toBe(422);
  expect((await set(OTHER_PASSWORD)).text).toContain('Hello, alice');
  expect((await set(OTHER_PASSWORD)).response.status).toBe(410);
  expect((await site.get(before, '/account/sessions')).url.pathname).toBe('/sign-in');
  expect((await site.signIn(new Browser(), 'alice')).response.status).toBe(401);
  expect((await site.signIn(new Browser(), 'alice', OTHER_PASSWORD)).url.pathname).toBe('/');
});
