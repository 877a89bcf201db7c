import { type ApplianceOptions, type AppliancePorts, startAppliance } from './appliance.ts';
import type { Visit } from './browser.ts';
import { startCaddy } from './caddy.ts';
import { makeCertificate } from './certificate.ts';
import { temporaryDirectory } from './database.ts';
import { type EchoApp, startEchoApp } from './echo-app.ts';
import { freePort } from './free-port.ts';
import { guideFile, replaceAll } from './guide.ts';
import { fetchMapped, MappedBrowser, type Mapping } from './mapped-browser.ts';
import { startNginx } from './nginx.ts';
import type { Servers } from './nodes.ts';
import { type OidcClientRegistration, type OidcTestProvider, startOidcProvider } from './oidc-provider.ts';
import { APP_URL, AUTH_URL, NOTES_URL, type ProxyName, SIBLING_URL } from './protected-site.ts';
import type { TestProxy } from './proxy.ts';
import { CLIENT_ID, CLIENT_SECRET, providerTable } from './sign-in.ts';

/** The compiled program with the configuration of a guide, behind the proxy of that guide, in front of two apps. */
export interface CompiledSite extends AsyncDisposable {
  readonly appliance: Servers;
  readonly proxy: TestProxy;
  readonly app: EchoApp;
  readonly notes: EchoApp;
  /** Who everybody signs in with, labelled `Home`. Its logout tokens come in through the proxy. */
  readonly provider: OidcTestProvider;
  readonly mapping: Required<Mapping>;
  /** Follows a link to a page, signs in at the provider where it is asked to, and goes on. */
  signIn(browser: MappedBrowser, subject: string, url: string): Promise<Visit>;
  /** A browser in which somebody has opened both apps. */
  onBothApps(subject: string): Promise<MappedBrowser>;
}

/** As one process, unless `start` makes it several. */
export async function compiledSite(
  name: ProxyName,
  start: (options: ApplianceOptions) => Promise<Servers> = startAppliance,
): Promise<CompiledSite> {
  await using starting = new AsyncDisposableStack();
  const directory = starting.use(temporaryDirectory()).path;
  const app = starting.use(startEchoApp('App'));
  const notes = starting.use(startEchoApp('Notes'));
  const sibling = starting.use(startEchoApp('Sibling'));
  const hosts = [AUTH_URL, APP_URL, NOTES_URL, SIBLING_URL].map((url) => new URL(url).host);
  const certificate = await makeCertificate(directory, hosts);
  const posternPort = freePort();
  const setup = {
    directory,
    certificate,
    posternPort,
    appPort: app.port,
    notesPort: notes.port,
    sibling: { host: new URL(SIBLING_URL).host, port: sibling.port },
  };
  const proxy = starting.use(await (name === 'nginx' ? startNginx(setup) : startCaddy(setup)));
  const mapping = { port: proxy.port, ca: await Bun.file(certificate.cert).text() };
  const relay = starting.use(startRelay(mapping));
  const provider = starting.use(await startOidcProvider({ clients: [registration(relay.url)] }));
  const toml = (ports: AppliancePorts) => configuration(name, ports, provider.issuer);
  const appliance = starting.use(await start({ directory, port: posternPort, toml }));
  const running = starting.move();

  const signIn: CompiledSite['signIn'] = async (browser, subject, url) => {
    const asked = await browser.visit(url);
    if (asked.url.pathname !== '/sign-in') return asked;
    const [href = ''] = /\/sign-in\/home[^"]*/.exec(asked.text) ?? [];
    const page = await browser.visit(new URL(href.replaceAll('&amp;', '&'), AUTH_URL));
    return goOn(browser, await provider.signIn(browser, page, subject));
  };
  return {
    appliance,
    proxy,
    app,
    notes,
    provider,
    mapping,
    signIn,
    async onBothApps(subject) {
      const browser = new MappedBrowser(mapping);
      await signIn(browser, subject, APP_URL);
      await browser.visit(NOTES_URL);
      return browser;
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** A page between, from which a browser goes on by itself. */
function goOn(browser: MappedBrowser, visit: Visit): Promise<Visit> | Visit {
  const [, onward] = /^0; url=(.*)$/.exec(visit.response.headers.get('refresh') ?? '') ?? [];
  return onward === undefined ? visit : browser.visit(new URL(onward, visit.url));
}

/** Brings logout tokens to the appliance by the way that they have from outside: through the proxy, by its name. */
function startRelay(mapping: Mapping): { url: string } & AsyncDisposable {
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      const { pathname } = new URL(request.url);
      const { method, headers } = request;
      const init = {
        method,
        headers: { 'content-type': headers.get('content-type') ?? '' },
        body: await request.text(),
      };
      return fetchMapped(mapping, new URL(pathname, AUTH_URL), init);
    },
  });
  return { url: `http://127.0.0.1:${server.port}`, [Symbol.asyncDispose]: () => server.stop(true) };
}

function registration(relayUrl: string): OidcClientRegistration {
  return {
    clientId: CLIENT_ID,
    clientSecret: CLIENT_SECRET,
    redirectUris: [`${AUTH_URL}/callback/home`],
    postLogoutRedirectUris: [`${AUTH_URL}/signed-out`],
    backchannelLogoutUri: `${relayUrl}/backchannel-logout/home`,
  };
}

/** The file of the guide; only ports and the provider are the test's own. */
function configuration(name: ProxyName, { port, metricsPort }: AppliancePorts, issuer: string): string {
  const listen = `listen = "127.0.0.1:${port}"\nmetrics_listen = "127.0.0.1:${metricsPort}"`;
  const guide = replaceAll(guideFile(name, 'postern.toml'), { 'listen = "127.0.0.1:7400"': listen });
  return `${guide}
${providerTable('home', issuer)}label = "Home"
scopes = ["openid", "profile", "email", "groups"]
owners = { groups = ["admins"] }
`;
}
