import { type Config, configSchema } from '../../src/config/schema.ts';
import { openForwardAuth } from '../../src/forward-auth/routes.ts';
import { parseOrigin } from '../../src/http/origin.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { parseRange } from '../../src/lib/ip-address.ts';
import { keyRing } from '../../src/lib/key-ring.ts';
import { hostAudience } from '../../src/sessions/audience.ts';
import { sessionGuard } from '../../src/sessions/guard.ts';
import { personalTokens } from '../../src/sessions/personal-tokens.ts';
import { attemptCookies } from '../../src/sign-in/guard.ts';
import { openProviderSignIn } from '../../src/sign-in/open-provider-sign-in.ts';
import { signOutRoutes } from '../../src/sign-in/routes-sign-out.ts';
import type { User } from '../../src/users/model.ts';
import { webRoutes } from '../../src/web/routes.ts';
import { temporaryDirectory } from './database.ts';
import { startCaddy } from './caddy.ts';
import { makeCertificate } from './certificate.ts';
import { type EchoApp, startEchoApp } from './echo-app.ts';
import { guideFile } from './guide.ts';
import { temporaryServer } from './http-server.ts';
import { TEST_SECRET } from './ledger.ts';
import { GOOD_PASSWORD, temporaryAccounts } from './local-accounts.ts';
import { MappedBrowser, type Mapping } from './mapped-browser.ts';
import { startNginx } from './nginx.ts';
import type { TestProxy } from './proxy.ts';

/** The hosts of the guides, and one beside the app on the same site. */
export const AUTH_URL = 'https://auth.example.org';
export const APP_URL = 'https://app.example.org';
export const NOTES_URL = 'https://notes.example.net';
export const SIBLING_URL = 'https://cam.example.org';

export type ProxyName = 'nginx' | 'caddy';

export interface ProtectedSite extends AsyncDisposable {
  readonly proxy: TestProxy;
  readonly app: EchoApp;
  readonly notes: EchoApp;
  /** What answers at `SIBLING_URL`; nothing of Postern's. */
  readonly sibling: EchoApp;
  /** For `fetchMapped` and `MappedBrowser`. */
  readonly mapping: Required<Mapping>;
  readonly accounts: ReturnType<typeof temporaryAccounts>;
  /** Somebody new with a password. */
  addUser(username: string, groups?: string[]): Promise<User>;
  /** A browser in which somebody has signed in at the appliance. */
  signedIn(user: User): Promise<MappedBrowser>;
  /** A personal token for one host. */
  tokenFor(user: User, host: string): Promise<string>;
}

/** The appliance of a guide, behind the proxy of that guide, in front of two apps on unrelated hosts. */
export async function protectedSite(name: ProxyName): Promise<ProtectedSite> {
  await using starting = new AsyncDisposableStack();
  const directory = starting.use(temporaryDirectory()).path;
  const [app, notes, sibling] = ['App', 'Notes', 'Sibling'].map((each) => starting.use(startEchoApp(each)));
  if (app === undefined || notes === undefined || sibling === undefined) throw new Error('no apps');
  const config = configSchema.parse(Bun.TOML.parse(guideFile(name, 'postern.toml')));
  const appliance = starting.use(startAppliance(config));
  const hosts = [AUTH_URL, APP_URL, NOTES_URL, SIBLING_URL].map((url) => new URL(url).host);
  const certificate = await makeCertificate(directory, hosts);
  const setup = {
    directory,
    certificate,
    posternPort: appliance.port,
    appPort: app.port,
    notesPort: notes.port,
    sibling: { host: new URL(SIBLING_URL).host, port: sibling.port },
  };
  const proxy = starting.use(await (name === 'nginx' ? startNginx(setup) : startCaddy(setup)));
  const mapping = { port: proxy.port, ca: await Bun.file(certificate.cert).text() };
  const { accounts } = appliance;
  const running = starting.move();
  return {
    proxy,
    app,
    notes,
    sibling,
    mapping,
    accounts,
    async addUser(username, groups = []) {
      const user = await accounts.addLocal(username);
      await accounts.base.db.write((tx) => accounts.people.store.update(tx, user.id, { groups }));
      return user;
    },
    async signedIn({ username }) {
      const browser = new MappedBrowser(mapping);
      await browser.submit(`${AUTH_URL}/sign-in`, { username, password: GOOD_PASSWORD });
      return browser;
    },
    async tokenFor({ id }, host) {
      const { ledger, db, clock } = accounts.base;
      const origin = {
        provider: undefined,
        providerSid: undefined,
        address: undefined,
        userAgent: undefined,
      };
      const { session } = await accounts.base.signIn(id);
      const audience = [hostAudience(host)];
      const expiresAt = clock.now() + 3_600_000;
      const request = { issuedBy: session.id, label: 'test', audience, expiresAt, origin };
      return (await db.write((tx) => ledger.openPersonalToken(tx, request))).token;
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** Pages, sign-in and forward-auth behind the real server. */
function startAppliance(config: Config) {
  const clock = systemClock;
  const origin = parseOrigin(config.url);
  const ring = keyRing([TEST_SECRET]);
  const accounts = temporaryAccounts({ clock, origin: origin.origin });
  const { ledger, db, audit, metrics, log, auditStore } = accounts.base;
  const { people, local } = accounts;
  const guard = sessionGuard({ ledger, origin, audit, clock });
  const cookies = attemptCookies(origin);
  const providerDeps = {
    db,
    clock,
    ring,
    audit,
    metrics,
    log,
    ledger,
    people,
    local,
    origin: origin.origin,
    config,
  };
  const feature = openProviderSignIn(providerDeps);
  const forwardAuth = openForwardAuth({
    config: config.forward_auth,
    origin,
    db,
    ring,
    clock,
    ledger,
    sessions: guard,
    audit,
    metrics,
    subjectsOf: (id) => people.store.identitiesOf(id).map(({ subject }) => subject),
  });
  const isProtectedHost = (host: string) => forwardAuth.isProtectedHost(host);
  const maxLifetimeMs = config.sessions.personal_max_lifetime;
  const server = temporaryServer(
    (router) => {
      webRoutes(router, {
        clock,
        origin,
        guard,
        ledger,
        people,
        local,
        providers: [],
        signIns: feature.service,
        attemptCookies: cookies,
        tokens: personalTokens({ db, ledger, audit, clock, maxLifetimeMs, isProtectedHost }),
        auditStore,
        protectedHosts: forwardAuth.protectedHosts,
        appsOf: (user) => forwardAuth.appsOf(user),
        isReturnTarget: (url) => forwardAuth.protectedReturnTo(url),
        landing: config.sign_in.landing,
        absoluteLifetimeMs: config.sessions.absolute_lifetime,
        tokenMaxLifetimeMs: maxLifetimeMs,
      });
      const { signOut, providerSignOut } = feature;
      signOutRoutes(router, { signOut, providerSignOut, guard, cookies, origin });
      router.use(forwardAuth.routes);
    },
    {
      origin,
      isServedHost: (host) => host === origin.host || isProtectedHost(host),
      nativeRoutes: forwardAuth.nativeRoutes,
      trustedProxies: config.trusted_proxies.flatMap((range) => parseRange(range) ?? []),
      limits: { maxBodyBytes: 1_048_576, headTimeoutMs: 10_000, drainTimeoutMs: 1_000 },
    },
  );
  return {
    port: server.port,
    accounts,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await feature[Symbol.asyncDispose]();
      await accounts[Symbol.asyncDispose]();
    },
  };
}
