import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type App, openApp } from '../../src/app.ts';
import { loadConfig } from '../../src/config/config.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { hostAudience } from '../../src/sessions/audience.ts';
import type { User, UserId } from '../../src/users/model.ts';
import { startCaddy } from './caddy.ts';
import { makeCertificate } from './certificate.ts';
import { temporaryDirectory } from './database.ts';
import { type EchoApp, startEchoApp } from './echo-app.ts';
import { guideFile, replaceAll } from './guide.ts';
import { GOOD_PASSWORD } from './local-accounts.ts';
import { MappedBrowser, type Mapping } from './mapped-browser.ts';
import { startNginx } from './nginx.ts';
import { type OidcTestProvider, startOidcProvider } from './oidc-provider.ts';
import type { TestProxy } from './proxy.ts';
import { recordedLog } from './silent-log.ts';

/** The hosts of the guides, and one beside the app on the same site. */
export const AUTH_URL = 'https://auth.example.org';
export const APP_URL = 'https://app.example.org';
export const NOTES_URL = 'https://notes.example.net';
export const SIBLING_URL = 'https://cam.example.org';
/** Where devices are, by the guide. */
const DEVICE_HOSTS = '*.devices.example.org';

export type ProxyName = 'nginx' | 'caddy';

export interface ProtectedSite extends AsyncDisposable {
  readonly proxy: TestProxy;
  readonly app: EchoApp;
  readonly notes: EchoApp;
  /** What answers at `SIBLING_URL`; nothing of Postern's. */
  readonly sibling: EchoApp;
  /** An OpenID provider that people can sign in through, labelled `Home`. */
  readonly provider: OidcTestProvider;
  /** For `fetchMapped` and `MappedBrowser`. */
  readonly mapping: Required<Mapping>;
  readonly services: App['services'];
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
  const app = starting.use(startEchoApp('App'));
  const notes = starting.use(startEchoApp('Notes'));
  const sibling = starting.use(startEchoApp('Sibling'));
  const provider = starting.use(await startOidcProvider({ clients: [CLIENT] }));
  const { services, listen } = starting.use(await startAppliance(name, directory, provider));
  const hosts = [AUTH_URL, APP_URL, NOTES_URL, SIBLING_URL].map((url) => new URL(url).host);
  const certificate = await makeCertificate(directory, [...hosts, DEVICE_HOSTS]);
  const setup = {
    directory,
    certificate,
    posternPort: Number(new URL(`http://${listen}`).port),
    appPort: app.port,
    notesPort: notes.port,
    sibling: { host: new URL(SIBLING_URL).host, port: sibling.port },
  };
  const proxy = starting.use(await (name === 'nginx' ? startNginx(setup) : startCaddy(setup)));
  const mapping = { port: proxy.port, ca: await Bun.file(certificate.cert).text() };
  const running = starting.move();
  return {
    proxy,
    app,
    notes,
    sibling,
    provider,
    mapping,
    services,
    addUser: (username, groups = []) => addUser(services, username, groups),
    async signedIn({ username }) {
      const browser = new MappedBrowser(mapping);
      await browser.submit(`${AUTH_URL}/sign-in`, { username, password: GOOD_PASSWORD });
      return browser;
    },
    tokenFor: ({ id }, host) => openToken(services, id, host),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

const CLIENT = {
  clientId: 'postern',
  clientSecret: 'a secret that only this test knows',
  redirectUris: [`${AUTH_URL}/callback/home`],
};

/** The configuration of the guide; only ports and the provider are the test's own. */
async function startAppliance(name: ProxyName, directory: string, provider: OidcTestProvider): Promise<App> {
  const file = join(directory, 'postern.toml');
  const listen = { 'listen = "127.0.0.1:7400"': 'listen = "127.0.0.1:0"\nmetrics_listen = "127.0.0.1:0"' };
  writeFileSync(file, replaceAll(guideFile(name, 'postern.toml'), listen));
  appendFileSync(
    file,
    `[[provider]]
name = "home"
label = "Home"
issuer = "${provider.issuer}"
client_id = "${CLIENT.clientId}"
client_secret = "${CLIENT.clientSecret}"
allow = "everyone"

[devices]
base = "devices.example.org"
`,
  );
  return openApp(loadConfig({ env: {}, cwd: directory }), { clock: systemClock, log: recordedLog() });
}

async function addUser(
  { db, clock, people }: App['services'],
  username: string,
  groups: string[],
): Promise<User> {
  const hash = await Bun.password.hash(GOOD_PASSWORD, { algorithm: 'argon2id', memoryCost: 64, timeCost: 1 });
  return db.write((tx) => {
    const user = people.acts.createLocal(tx, { username, role: 'member', by: {}, chosenByOperator: true });
    people.passwords.set(tx, user.id, hash, clock.now());
    people.store.update(tx, user.id, { groups });
    return user;
  });
}

async function openToken(
  { db, clock, ledger }: App['services'],
  userId: UserId,
  host: string,
): Promise<string> {
  const origin = { provider: undefined, providerSid: undefined, address: undefined, userAgent: undefined };
  const { token } = await db.write((tx) => {
    const { session } = ledger.openBrowserSession(tx, { userId, origin });
    const audience = [hostAudience(host)];
    const expiresAt = clock.now() + 3_600_000;
    return ledger.openPersonalToken(tx, { issuedBy: session.id, label: 'test', audience, expiresAt, origin });
  });
  return token;
}
