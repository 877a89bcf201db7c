import { randomBytes } from 'node:crypto';
import { type Config, configSchema } from '../../src/config/schema.ts';
import { html } from '../../src/http/html.ts';
import { type PublicOrigin, parseOrigin } from '../../src/http/origin.ts';
import { pageResponse } from '../../src/http/page.ts';
import { localLimiter } from '../../src/http/rate-limit.ts';
import type { Router } from '../../src/http/router.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { sessionGuard } from '../../src/sessions/guard.ts';
import { attemptCookies } from '../../src/sign-in/guard.ts';
import type { ProviderSignIn } from '../../src/sign-in/open-provider-sign-in.ts';
import { signInRoutes } from '../../src/sign-in/routes.ts';
import { backchannelRoutes } from '../../src/sign-in/routes-backchannel.ts';
import { signOutRoutes } from '../../src/sign-in/routes-sign-out.ts';
import type { Browser, Visit } from './browser.ts';
import { freePort } from './free-port.ts';
import { temporaryServer } from './http-server.ts';
import { type TemporaryAccounts, temporaryAccounts } from './local-accounts.ts';
import type { OidcClientRegistration, OidcTestProvider } from './oidc-provider.ts';
import { testProviderSignIn } from './provider-sign-in.ts';

export type ProviderInput = Partial<Config['provider'][number]> & { name: string };

export interface SignInSite extends AsyncDisposable {
  readonly origin: PublicOrigin;
  readonly accounts: TemporaryAccounts;
  readonly feature: ProviderSignIn;
  readonly config: Config;
  readonly metrics: () => string;
  /** Signs a browser in at a provider, wherever that leads. */
  signIn(
    browser: Browser,
    provider: OidcTestProvider,
    name: string,
    subject: string,
    returnTo?: string,
  ): Promise<Visit>;
  /** Goes as far as the provider's page. */
  begin(browser: Browser, name: string, returnTo?: string): Promise<Visit>;
  /** The username behind a browser's cookie; `undefined` when it is not signed in. */
  whoAmI(browser: Browser): Promise<string | undefined>;
  url(path: string): URL;
}

export interface SignInSiteOptions {
  port?: number;
  clock?: Clock;
  providers: readonly ProviderInput[];
  signIn?: Partial<Config['sign_in']>;
  /** Hosts that sign-in may lead back to. */
  returnHosts?: readonly string[];
}

/** The part of the appliance that signs people in through providers, behind the real server on loopback. */
export async function signInSite(options: SignInSiteOptions): Promise<SignInSite> {
  const port = options.port ?? freePort();
  const origin = parseOrigin(`http://localhost:${port}`);
  const clock = options.clock ?? systemClock;
  await using starting = new AsyncDisposableStack();
  const accounts = starting.use(temporaryAccounts({ clock, origin: origin.origin }));
  const { ledger, audit, metrics } = accounts.base;
  const config = siteConfig(options, origin);
  const feature = starting.use(testProviderSignIn(accounts, config));
  const guard = sessionGuard({ ledger, origin, audit, clock });
  const cookies = attemptCookies(origin);
  const limiter = () => localLimiter(clock, { name: 'all', limit: 3_000, windowMs: 60_000, maxKeys: 100 });
  const routes = (router: Router) => {
    const isReturnTarget = (url: URL) => (options.returnHosts ?? []).includes(url.host);
    const { service, signOut, providerSignOut, backchannelLogout } = feature;
    signInRoutes(router, {
      service,
      guard,
      cookies,
      origin,
      isReturnTarget,
      landing: config.sign_in.landing,
      absoluteLifetimeMs: config.sessions.absolute_lifetime,
      limits: { begun: limiter(), completed: limiter() },
    });
    signOutRoutes(router, { signOut, providerSignOut, guard, cookies, origin });
    backchannelRoutes(router, { logout: backchannelLogout, auditLimit: limiter() });
    for (const path of ['/', '/deep/link'])
      router.get(path, () => pageResponse({ title: `page ${path}`, body: html`` }));
    router.get(
      '/who',
      async ({ request }) => new Response((await guard.browserSession(request)).user.username),
    );
  };
  starting.use(temporaryServer(routes, { origin, listen: { hostname: '127.0.0.1', port } }));
  const url = (path: string) => new URL(path, origin.origin);
  const running = starting.move();

  const begin = (browser: Browser, name: string, returnTo?: string) => {
    const target = url(`/sign-in/${name}`);
    if (returnTo !== undefined) target.searchParams.set('return_to', returnTo);
    return browser.visit(target);
  };
  return {
    origin,
    accounts,
    feature,
    config,
    metrics: () => metrics.render(),
    url,
    begin,
    async signIn(browser, provider, name, subject, returnTo) {
      return provider.signIn(browser, await begin(browser, name, returnTo), subject);
    },
    async whoAmI(browser) {
      const response = await browser.fetch(url('/who'));
      return response.status === 200 ? response.text() : undefined;
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

function siteConfig({ providers, signIn }: SignInSiteOptions, origin: PublicOrigin): Config {
  const provider = providers.map((one) => ({
    client_id: CLIENT_ID,
    client_secret: CLIENT_SECRET,
    allow: 'everyone',
    ...one,
  }));
  const config = configSchema.parse({ url: origin.origin, provider });
  return { ...config, sign_in: { ...config.sign_in, ...signIn } };
}

export const CLIENT_ID = 'postern';
export const CLIENT_SECRET = randomBytes(24).toString('hex');

/** How a site at `port` is registered at its providers. */
export function siteRegistration(
  port: number,
  name: string,
  more: Partial<OidcClientRegistration> = {},
): OidcClientRegistration {
  const origin = `http://localhost:${port}`;
  return {
    clientId: CLIENT_ID,
    clientSecret: CLIENT_SECRET,
    redirectUris: [`${origin}/callback/${name}`],
    postLogoutRedirectUris: [`${origin}/signed-out`],
    backchannelLogoutUri: `${origin}/backchannel-logout/${name}`,
    ...more,
  };
}

/** The table of `postern.toml` for a provider that a site is registered at. */
export const providerTable = (name: string, issuer: string) => `[[provider]]
name = "${name}"
issuer = "${issuer}"
client_id = "${CLIENT_ID}"
client_secret = "${CLIENT_SECRET}"
allow = "everyone"
`;
