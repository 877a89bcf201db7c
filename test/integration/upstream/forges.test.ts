import { describe, expect, test } from 'bun:test';
import type { Browser } from '../../support/browser.ts';
import { type Forge, type ForgeKind, forgeTable, startForge } from '../../support/forge.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { testBackend } from '../../support/upstream.ts';
import { type WebSite, webSite } from '../../support/web-site.ts';

const KINDS: ForgeKind[] = ['forgejo', 'gitea', 'github', 'gitlab'];
const HOUR_MS = 3_600_000;

async function open(kind: ForgeKind, more: Record<string, unknown> = {}) {
  await using starting = new AsyncDisposableStack();
  const forge = starting.use(startForge(kind));
  const clock = new ManualClock();
  const site = starting.use(
    await webSite({
      clock,
      upstreamTable: { provider: [forgeTable(kind, forge, more)] },
      backends: [testBackend('code', { provider: kind })],
    }),
  );
  site.upstream.setDependents(() => []);
  const { browser, user } = await site.signedIn('ada');
  const running = starting.move();
  return {
    forge,
    site,
    clock,
    browser,
    userId: user.id,
    current: () => site.upstream.tokens.current(user.id, kind),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

async function link(site: WebSite, browser: Browser, kind: ForgeKind): Promise<URL> {
  const page = await site.post(browser, `/account/links/${kind}`);
  const [, onward = ''] = /url=(.+)$/.exec(page.response.headers.get('refresh') ?? '') ?? [];
  await browser.visit(onward);
  return new URL(onward);
}

const statusOf = (forge: Forge, request: string) => forge.asked.filter((each) => each === request).length;

describe.each(KINDS)('%s', (kind) => {
  test('gives tokens for an account, and new ones when they are due', async () => {
    await using at = await open(kind);
    const sent = await link(at.site, at.browser, kind);
    expect(sent.searchParams.get('scope')).toBe('read write');
    expect(sent.searchParams.get('code_challenge_method')).toBe('S256');
    expect(await at.current()).toMatchObject({ accessToken: 'access-1', version: 1 });
    expect((await at.site.get(at.browser, '/account/links')).text).toContain('mona');
    for (const version of [2, 3]) {
      await at.clock.advance(HOUR_MS);
      expect(await at.current()).toMatchObject({ accessToken: `access-${version}`, version });
    }
  });

  test('says in its own words that a refresh token is good no more', async () => {
    await using at = await open(kind);
    await link(at.site, at.browser, kind);
    await using thief = at.site.upstream;
    await at.clock.advance(HOUR_MS);
    const { access, refresh } = endpoints(kind);
    const form = { grant_type: 'refresh_token', refresh_token: 'refresh-1', client_secret: 'forge-secret' };
    const stolen = await fetch(at.forge.address + access, {
      method: 'POST',
      body: new URLSearchParams(form),
    });
    expect(await stolen.json()).toMatchObject({ refresh_token: refresh });
    expect(await thief.tokens.current(at.userId, kind)).toBeUndefined();
    expect(thief.tokens.isLinked(at.userId, kind)).toBe(false);
  });

  test('is asked again when the secret is wrong: that is no reason to link again', async () => {
    await using at = await open(kind);
    await link(at.site, at.browser, kind);
    await using wrong = await open(kind, { client_secret: 'another' });
    const page = await wrong.site.post(wrong.browser, `/account/links/${kind}`);
    expect(page.response.status).toBe(200);
    await link(wrong.site, wrong.browser, kind);
    expect(await wrong.current()).toBeUndefined();
    expect(await at.current()).toMatchObject({ version: 1 });
  });
});

test('unlinking at GitHub takes the authorization back, at GitLab it revokes both tokens', async () => {
  for (const [kind, revoked] of [
    ['github', ['access-1']],
    ['gitlab', ['refresh-1', 'access-1']],
  ] as const) {
    await using at = await open(kind);
    await link(at.site, at.browser, kind);
    expect(await at.site.upstream.linking.unlink(kind, { userId: at.userId })).toBe('revoked');
    expect(at.forge.revoked).toEqual([...revoked]);
  }
});

test.each(['forgejo', 'gitea'] as const)(
  'unlinking at %s leaves a word on what to do there',
  async (kind) => {
    await using at = await open(kind);
    await link(at.site, at.browser, kind);
    const page = await at.site.post(at.browser, `/account/links/${kind}/unlink`);
    expect(page.text).toContain('use its settings');
  },
);

test('a token without an end is never due', async () => {
  await using at = await open('github');
  at.forge.endless = true;
  await link(at.site, at.browser, 'github');
  const token = await at.current();
  expect(token).toMatchObject({ accessToken: 'access-1', expiresAt: undefined });
  await at.clock.advance(20 * HOUR_MS);
  expect(await at.current()).toEqual(token);
  expect(statusOf(at.forge, 'POST /login/oauth/access_token')).toBe(1);
});

test('whose a token of GitLab is can be told without the scope that reads the profile', async () => {
  await using at = await open('gitlab');
  at.forge.showsProfile = false;
  await link(at.site, at.browser, 'gitlab');
  expect((await at.site.get(at.browser, '/account/links')).text).toContain('>7<');
});

const endpoints = (kind: ForgeKind) =>
  kind === 'gitlab'
    ? { access: '/oauth/token', refresh: 'refresh-2' }
    : { access: '/login/oauth/access_token', refresh: 'refresh-2' };
