import { describe, expect, test } from 'bun:test';
import { Browser } from '../../support/browser.ts';
import { freePort } from '../../support/free-port.ts';
import { startOidcProvider } from '../../support/oidc-provider.ts';
import { signInSite, siteRegistration } from '../../support/sign-in.ts';

describe('a sign-in at a real provider', () => {
  test('comes back to the page asked for, as the person who signed in', async () => {
    const port = freePort();
    await using provider = await startOidcProvider({ clients: [siteRegistration(port, 'home')] });
    await using site = await signInSite({ port, providers: [{ name: 'home', issuer: provider.issuer }] });
    const browser = new Browser();
    const end = await site.signIn(browser, provider, 'home', 'alice', '/deep/link?tab=2#part');
    expect(end.url.href).toBe(site.url('/deep/link?tab=2#part').href);
    expect(await site.whoAmI(browser)).toBe('alice');
  });
});
