import { type ApplianceOptions, type AppliancePorts, startAppliance } from './appliance.ts';
import type { Browser, Visit } from './browser.ts';
import { freePort } from './free-port.ts';
import type { Servers } from './nodes.ts';
import { type OidcTestProvider, startOidcProvider } from './oidc-provider.ts';
import { providerTable, siteRegistration } from './sign-in.ts';

/** The compiled appliance, on loopback, with two providers. */
export interface CompiledSignIn extends AsyncDisposable {
  readonly appliance: Servers;
  /** Its logout tokens carry `sid`. */
  readonly home: OidcTestProvider;
  /** Its logout tokens carry `sub` alone. */
  readonly work: OidcTestProvider;
  url(path: string): URL;
  /** Goes as far as the page of a provider. */
  begin(browser: Browser, provider: 'home' | 'work' | 'late', returnTo?: string): Promise<Visit>;
  /** Signs somebody in, wherever that leads. */
  signIn(browser: Browser, provider: 'home' | 'work', subject: string, returnTo?: string): Promise<Visit>;
  /** The username behind a browser's cookie; `undefined` when it is not signed in. */
  whoAmI(browser: Browser): Promise<string | undefined>;
  /** Starts the provider that is configured and did not answer so far. */
  startLate(): Promise<OidcTestProvider>;
}

/** As one process, unless `start` makes it several. */
export async function compiledSignIn(
  start: (options: ApplianceOptions) => Promise<Servers> = startAppliance,
): Promise<CompiledSignIn> {
  const [port, latePort] = [freePort(), freePort()];
  await using starting = new AsyncDisposableStack();
  const home = starting.use(await startOidcProvider({ clients: [siteRegistration(port, 'home')] }));
  const work = starting.use(
    await startOidcProvider({
      clients: [siteRegistration(port, 'work', { backchannelLogoutSessionRequired: false })],
      host: 'localhost',
    }),
  );
  const issuers = { home: home.issuer, work: work.issuer, late: `http://127.0.0.1:${latePort}` };
  const toml = (ports: AppliancePorts) => configuration(ports, issuers);
  const appliance = starting.use(await start({ port, toml }));
  const running = starting.move();

  const url = (path: string) => new URL(path, `http://localhost:${port}`);
  const begin = (browser: Browser, provider: string, returnTo?: string) => {
    const target = url(`/sign-in/${provider}`);
    if (returnTo !== undefined) target.searchParams.set('return_to', returnTo);
    return browser.visit(target);
  };
  return {
    appliance,
    home,
    work,
    url,
    begin,
    async signIn(browser, name, subject, returnTo) {
      const provider = { home, work }[name];
      return provider.signIn(browser, await begin(browser, name, returnTo), subject);
    },
    async whoAmI(browser) {
      const response = await browser.fetch(url('/api/v1/session'));
      if (response.status === 401) return undefined;
      const { user } = (await response.json()) as { user: { username: string } };
      return user.username;
    },
    async startLate() {
      const clients = [siteRegistration(port, 'late')];
      return running.use(await startOidcProvider({ clients, port: latePort }));
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** Everybody comes from an address of their own, as a proxy on this machine would tell. */
function configuration(
  { port, metricsPort }: AppliancePorts,
  issuers: Readonly<Record<string, string>>,
): string {
  const providers = Object.entries(issuers).map(([name, issuer]) => providerTable(name, issuer));
  return `url = "http://localhost:${port}"
listen = "127.0.0.1:${port}"
metrics_listen = "127.0.0.1:${metricsPort}"
trusted_proxies = ["127.0.0.1/32"]
sign_in.provider_timeout = "60s" # the providers share a process with a thousand browsers
${providers.join('\n')}`;
}
