import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { Browser } from '../../support/browser.ts';
import { type FakeGithub, type GithubAccount, startFakeGithub } from '../../support/github.ts';
import { type SignInSite, signInSite } from '../../support/sign-in.ts';

const MONA: GithubAccount = {
  id: 583231,
  login: 'mona',
  name: 'Mona Lisa',
  emails: [
    { email: 'old@example.com', primary: false, verified: true },
    { email: 'mona@example.com', primary: true, verified: true },
  ],
};

let github: FakeGithub;
let site: SignInSite;

beforeAll(async () => {
  github = startFakeGithub(MONA);
  const nobody = { subjects: [], emails: [], domains: [], groups: [] };
  site = await signInSite({
    providers: [
      { name: 'code', kind: 'github', issuer: github.issuer },
      {
        name: 'strict',
        kind: 'github',
        issuer: github.issuer,
        allow: { ...nobody, emails: ['mona@example.com'] },
      },
    ],
  });
});

afterAll(async () => {
  await site[Symbol.asyncDispose]();
  await github[Symbol.asyncDispose]();
});

beforeEach(() => {
  github.account = MONA;
  github.api = undefined;
});

describe('a sign-in at GitHub', () => {
  test('makes a person of the account id, the profile and the primary verified address', async () => {
    const browser = new Browser();
    const { url } = await site.begin(browser, 'code', '/deep/link');
    expect(url.pathname).toBe('/deep/link');
    expect(await site.whoAmI(browser)).toBe('mona');
    const user = site.accounts.people.store.findByIdentity(github.issuer, '583231');
    expect(user).toMatchObject({ username: 'mona', displayName: 'Mona Lisa', email: 'mona@example.com' });
  });

  test('knows the account by its id when its login changes', async () => {
    await site.begin(new Browser(), 'code');
    github.account = { ...MONA, login: 'renamed' };
    const browser = new Browser();
    await site.begin(browser, 'code');
    expect(await site.whoAmI(browser)).toBe('mona');
  });

  test('makes another person of another account that took the login', async () => {
    await site.begin(new Browser(), 'code');
    github.account = { ...MONA, id: 2, emails: [] };
    const browser = new Browser();
    await site.begin(browser, 'code');
    expect(await site.whoAmI(browser)).not.toBe('mona');
  });

  test.each([
    ['unverified', [{ email: 'mona@example.com', primary: true, verified: false }]],
    ['not primary', [{ email: 'mona@example.com', primary: false, verified: true }]],
    ['absent', []],
  ])('counts no address that is %s', async (_what, emails) => {
    github.account = { ...MONA, emails };
    const { response } = await site.begin(new Browser(), 'strict');
    expect(response.status).toBe(403);
  });

  test('lets in by address', async () => {
    const browser = new Browser();
    await site.begin(browser, 'strict');
    expect(await site.whoAmI(browser)).toBe('mona');
  });

  test.each([
    ['down', () => new Response('', { status: 502 }), 503],
    ['no JSON', () => new Response('<html>'), 400],
    ['an account without a number', () => Response.json({ id: 'mona', login: 'mona' }), 400],
    ['forbidden', () => new Response('', { status: 403 }), 400],
  ])('is refused when the API answers: %s', async (_what, answer, status) => {
    github.api = answer;
    const browser = new Browser();
    expect((await site.begin(browser, 'code')).response.status).toBe(status);
    expect(await site.whoAmI(browser)).toBeUndefined();
  });

  test('is refused for a code that GitHub does not know', async () => {
    const browser = new Browser();
    const { url } = await browser.visit(
      site.url('/sign-in/code'),
      {},
      ({ pathname }) => pathname === '/callback/code',
    );
    url.searchParams.set('code', 'guessed');
    expect((await browser.visit(url)).response.status).toBe(400);
    expect(await site.whoAmI(browser)).toBeUndefined();
  });

  test('ends here alone', async () => {
    const browser = new Browser();
    await site.begin(browser, 'code');
    const { url } = await browser.submit(site.url('/sign-out'));
    expect(url.pathname).toBe('/signed-out');
    expect(await site.whoAmI(browser)).toBeUndefined();
  });
});
