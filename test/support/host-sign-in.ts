import { expect } from 'bun:test';
import type { UserId } from '../../src/users/model.ts';
import { APP, type TestForwardAuth } from './forward-auth.ts';
import { HOST_COOKIE } from './host-check.ts';
import { TEST_ORIGIN } from './ledger.ts';
import { MappedBrowser } from './mapped-browser.ts';

export const APP_URL = `https://${APP}`;
export const PAGE = '/page?a=1&b=/x?y';

/** A browser in which somebody is signed in at the appliance. */
export async function signedInBrowser(forwardAuth: TestForwardAuth, known?: UserId) {
  const userId = known ?? (await forwardAuth.addUser());
  const parent = await forwardAuth.signIn(userId);
  const browser = new MappedBrowser(forwardAuth);
  browser.cookies.store(new URL(TEST_ORIGIN), [`${HOST_COOKIE}=${parent.token}; Path=/`]);
  return { userId, parent, browser };
}

export const startUrl = (path = PAGE, host = APP_URL) => `${host}/.postern/start?${path}`;
const isFinish = (url: URL) => url.pathname === '/.postern/finish';
export const isPage = (url: URL) =>
  !url.pathname.startsWith('/.postern/') && url.host !== 'auth.example.test';

/** Follows the sign-in up to the page it leads to. */
export const openPage = (browser: MappedBrowser, path = PAGE, host = APP_URL) =>
  browser.visit(startUrl(path, host), {}, isPage);

/** A ticket that `browser` has got and not used. */
export async function ticketOf(browser: MappedBrowser, path = PAGE): Promise<URL> {
  const { url } = await browser.visit(startUrl(path), {}, isFinish);
  expect(isFinish(url)).toBe(true);
  return url;
}

export function checkWith(
  forwardAuth: TestForwardAuth,
  browser: MappedBrowser,
  host = APP,
): Promise<Response> {
  return forwardAuth.check({ host, headers: { cookie: browser.cookies.header(new URL(`https://${host}`)) } });
}
