import { configSchema } from '../../src/config/schema.ts';
import type { RoleGuard } from '../../src/db/role-guard.ts';
import type { Hub } from '../../src/devices/hub.ts';
import type { OpenDevices } from '../../src/devices/open-devices.ts';
import { tunnelActs } from '../../src/devices/tunnel-acts.ts';
import { type PublicOrigin, parseOrigin } from '../../src/http/origin.ts';
import { localLimiter } from '../../src/http/rate-limit.ts';
import { type Clock, systemClock } from '../../src/lib/clock.ts';
import { keyRing } from '../../src/lib/key-ring.ts';
import { sessionGuard } from '../../src/sessions/guard.ts';
import { personalTokens } from '../../src/sessions/personal-tokens.ts';
import { attemptCookies } from '../../src/sign-in/guard.ts';
import { signInRoutes } from '../../src/sign-in/routes.ts';
import { signOutRoutes } from '../../src/sign-in/routes-sign-out.ts';
import { type BackendNeeds, needs } from '../../src/upstream/needs.ts';
import type { OpenUpstream } from '../../src/upstream/open-upstream.ts';
import { linkCallbacks } from '../../src/upstream/routes.ts';
import type { User, UserRole } from '../../src/users/model.ts';
import { webRoutes } from '../../src/web/routes.ts';
import { typedCodes } from '../../src/web/typed-codes.ts';
import { type TestAuthorizationServerOptions, testAuthorizationServer } from './authorization-server.ts';
import { Browser, type Visit } from './browser.ts';
import { testDevices } from './devices.ts';
import { freePort } from './free-port.ts';
import { temporaryServer } from './http-server.ts';
import { TEST_SECRET } from './ledger.ts';
import { GOOD_PASSWORD, type TemporaryAccounts, temporaryAccounts } from './local-accounts.ts';
import { testProviderSignIn } from './provider-sign-in.ts';
import { findTestReach, testDeviceHandle } from './reach.ts';
import { hereOnly } from './roles.ts';
import { testUpstream } from './upstream.ts';

/** The one host that a rule of forward-auth names. */
export const APP_HOST = 'app.example.test';

export interface WebSite extends AsyncDisposable {
  readonly origin: PublicOrigin;
  readonly accounts: TemporaryAccounts;
  readonly upstream: OpenUpstream;
  readonly devices: OpenDevices;
  readonly hub: Hub;
  readonly clock: Clock;
  url(path: string): URL;
  get(browser: Browser, path: string): Promise<Visit>;
  /** Posts a form as a page of the site would. */
  post(browser: Browser, path: string, fields?: Record<string, string>): Promise<Visit>;
  /** A browser that has signed in as somebody new, with a password. */
  signedIn(username: string, role?: UserRole): Promise<{ browser: Browser; user: User }>;
  signIn(browser: Browser, username: string, password?: string): Promise<Visit>;
}

export interface WebSiteOptions {
  port?: number;
  clock?: Clock;
  providers?: readonly Record<string, unknown>[];
  /** `[upstream]` of the configuration. */
  upstreamTable?: Record<string, unknown>;
  /** MCP backends, and what they want of people. */
  backends?: readonly BackendNeeds[];
  authorizationServer?: TestAuthorizationServerOptions;
  /** By default the tunnels are here. */
  hubRole?: RoleGuard;
}

/** All pages for people, behind the real server on loopback. */
export async function webSite({
  port = freePort(),
  clock = systemClock,
  providers = [],
  upstreamTable = {},
  backends = [],
  authorizationServer,
  hubRole = hereOnly,
}: WebSiteOptions = {}): Promise<WebSite> {
  const origin = parseOrigin(`http://localhost:${port}`);
  const config = configSchema.parse({ url: origin.origin, provider: providers, upstream: upstreamTable });
  await using starting = new AsyncDisposableStack();
  const accounts = starting.use(temporaryAccounts({ clock, origin: origin.origin }));
  const { ledger, db, audit, auditStore } = accounts.base;
  const { people, local } = accounts;
  const ring = keyRing([TEST_SECRET]);
  const upstream = starting.use(testUpstream(accounts, { config, origin: origin.origin, backends, ring }));
  const feature = starting.use(
    testProviderSignIn(accounts, config, {
      providers: needs(backends).providers,
      keepTokens: upstream.keepTokens,
    }),
  );
  const guard = sessionGuard({ ledger, origin, audit, clock });
  const oauth = testAuthorizationServer(accounts.base, authorizationServer);
  const { hub, devices, deviceReach } = testDevices(accounts.base, { origin: origin.origin });
  const cookies = attemptCookies(origin);
  const limiter = () => localLimiter(clock, { name: 'all', limit: 3_000, windowMs: 60_000, maxKeys: 100 });
  const isReturnTarget = (url: URL) => url.host === APP_HOST;
  const { landing } = config.sign_in;
  const absoluteLifetimeMs = config.sessions.absolute_lifetime;
  const tokenMaxLifetimeMs = config.sessions.personal_max_lifetime;
  const { service, signOut, providerSignOut } = feature;
  starting.use(
    temporaryServer(
      (router) => {
        webRoutes(router, {
          clock,
          origin,
          guard,
          ledger,
          people,
          local,
          providers: feature.providers.all,
          signIns: service,
          attemptCookies: cookies,
          tokens: personalTokens({
            db,
            ledger,
            audit,
            clock,
            maxLifetimeMs: tokenMaxLifetimeMs,
            isProtectedHost: (host) => host === APP_HOST,
            findReach: findTestReach,
          }),
          deviceHandle: testDeviceHandle,
          auditStore,
          upstream,
          connectedApps: oauth.connectedApps(() => []),
          devices,
          deviceReach,
          hub,
          hubRole,
          brokerRole: hereOnly,
          tunnelActs: tunnelActs({ hub, hubRole, audit, clock }),
          deviceRequests: oauth.deviceRequests,
          typedCodes: typedCodes({
            config: config.authorization_server,
            programs: oauth.deviceRequests,
            joins: devices.joins,
            ring,
            audit,
            clock,
            limiter: (options) => localLimiter(clock, options),
          }),
          protectedHosts: [APP_HOST],
          appsOf: () => [`https://${APP_HOST}`],
          isReturnTarget,
          landing,
          absoluteLifetimeMs,
          tokenMaxLifetimeMs,
        });
        const limits = { begun: limiter(), completed: limiter() };
        signInRoutes(router, {
          service,
          guard,
          cookies,
          origin,
          isReturnTarget,
          landing,
          absoluteLifetimeMs,
          otherCallbacks: linkCallbacks({
            linking: upstream.linking,
            guard,
            cookies,
            linkUrl: (provider, returnTo) => upstream.tokens.linkUrl(provider, returnTo),
          }),
          limits,
        });
        signOutRoutes(router, { signOut, providerSignOut, guard, cookies, origin });
      },
      {
        origin,
        listen: { hostname: '127.0.0.1', port },
        limits: { maxBodyBytes: 1_048_576, headTimeoutMs: 10_000, drainTimeoutMs: 1_000 },
      },
    ),
  );
  const running = starting.move();

  const url = (path: string) => new URL(path, origin.origin);
  const post = (browser: Browser, path: string, fields: Record<string, string> = {}) =>
    browser.submit(url(path), fields);
  const signIn = (browser: Browser, username: string, password = GOOD_PASSWORD) =>
    post(browser, '/sign-in', { username, password });
  return {
    origin,
    accounts,
    upstream,
    devices,
    hub,
    clock,
    url,
    get: (browser, path) => browser.visit(url(path)),
    post,
    signIn,
    async signedIn(username, role) {
      const user = await accounts.addLocal(username, role);
      const browser = new Browser({ 'user-agent': DESKTOP });
      await signIn(browser, username);
      return { browser, user };
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

const DESKTOP = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';
