import { describe, expect, test } from 'bun:test';
import { cookieName } from '../../../src/http/cookies.ts';
import { Browser } from '../../support/browser.ts';
import { GOOD_PASSWORD } from '../../support/local-accounts.ts';
import { APP_HOST, webSite } from '../../support/web-site.ts';

const WRONG = 'this is not the password';

test('the start page leads strangers to sign-in, and shows people who they are', async () => {
  await using site = await webSite();
  await site.accounts.addLocal('alice');
  const browser = new Browser();
  const anonymous = await site.get(browser, '/');
  expect(anonymous.url.pathname).toBe('/sign-in');
  expect(anonymous.text).toContain('autocomplete="current-password"');
  const signedIn = await site.signIn(browser, 'alice');
  expect(signedIn.text).toContain('Hello, alice');
  expect(signedIn.text).not.toContain('/admin/users');
  expect((await site.get(browser, '/sign-in')).url.pathname).toBe('/');
});

test('a wrong name and a wrong password look alike, and leave nobody signed in', async () => {
  await using site = await webSite();
  await site.accounts.addLocal('alice');
  const browser = new Browser();
  const wrong = await site.signIn(browser, 'alice', WRONG);
  const unknown = await site.signIn(browser, 'nobody', WRONG);
  expect([wrong.response.status, unknown.response.status]).toEqual([401, 401]);
  expect(wrong.text).toBe(unknown.text);
  expect(wrong.text).not.toContain(WRONG);
  expect(browser.cookies.names(site.origin.origin)).toEqual([]);
});

test('guessing ends in 429 with a time to wait, and a known browser is not locked out', async () => {
  await using site = await webSite();
  const { browser: known } = await site.signedIn('alice');
  await site.post(known, '/sign-out');
  const guesser = new Browser();
  for (let index = 0; index < 10; index++) await site.signIn(guesser, 'alice', WRONG);
  const locked = await site.signIn(guesser, 'alice');
  expect(locked.response.status).toBe(429);
  expect(Number(locked.response.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(locked.text).toMatch(/too many attempts\. Try again in \d+ minutes,/);
  expect((await site.signIn(known, 'alice')).text).toContain('Hello, alice');
});

test('signing in anew gives a fresh session and ends the old one', async () => {
  await using site = await webSite();
  const { browser, user } = await site.signedIn('alice');
  const name = cookieName(site.origin);
  const before = browser.cookies.get(site.origin.origin, name);
  await site.signIn(browser, 'alice');
  expect(browser.cookies.get(site.origin.origin, name)).not.toBe(before);
  expect(await site.accounts.base.ledger.list(user.id)).toHaveLength(1);
});

describe('where sign-in leads', () => {
  const signInTo = async (returnTo: string) => {
    await using site = await webSite();
    await site.accounts.addLocal('alice');
    const response = await new Browser().fetch(site.url('/sign-in'), {
      method: 'POST',
      headers: { origin: site.origin.origin },
      body: new URLSearchParams({ username: 'alice', password: GOOD_PASSWORD, return_to: returnTo }),
    });
    return {
      status: response.status,
      location: response.headers.get('location'),
      refresh: response.headers.get('refresh'),
    };
  };

  test('a deep link of ours', async () => {
    expect(await signInTo('/account/sessions?x=1')).toMatchObject({
      status: 303,
      location: '/account/sessions?x=1',
    });
  });

  test('a protected host, by a page that goes on: Chromium would stop a redirect after a form', async () => {
    const target = `https://${APP_HOST}/photos`;
    expect(await signInTo(target)).toEqual({ status: 200, location: null, refresh: `0; url=${target}` });
    expect(await signInTo('/host-ticket?flow=x')).toMatchObject({
      status: 200,
      refresh: '0; url=/host-ticket?flow=x',
    });
  });

  test.each([
    '//evil.example',
    '/\\evil.example',
    'https://evil.example/',
    `https://${APP_HOST}.evil.example/`,
    `https://user@${APP_HOST}/`,
    'javascript:alert(1)',
    '/ok\r\nSet-Cookie: x=y',
    '/.//evil.example',
    '',
  ])('never %j', async (target) => {
    expect(await signInTo(target)).toMatchObject({ status: 303, location: '/' });
  });

  test('is kept on the page and in the buttons', async () => {
    await using site = await webSite({
      providers: [
        {
          name: 'home',
          label: 'Home <1>',
          issuer: 'http://127.0.0.1:9',
          client_id: 'a',
          client_secret: 'b'.repeat(32),
          allow: 'everyone',
        },
      ],
    });
    await site.accounts.addLocal('alice');
    const { text } = await site.get(new Browser(), '/sign-in?return_to=/account/tokens');
    expect(text).toContain('name="return_to" value="/account/tokens"');
    expect(text).toContain('href="/sign-in/home?return_to=%2Faccount%2Ftokens"');
    expect(text).toContain('Continue with Home &lt;1&gt;');
  });
});
