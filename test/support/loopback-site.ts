import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Appliance, type AppliancePorts, startAppliance } from './appliance.ts';
import { Browser, type Visit } from './browser.ts';
import { freePort } from './free-port.ts';

/** Good for every local account of a test: nothing in it is common. */
export const PASSWORD = 'quorn-vitrine-9-otterly-plinth';

/** The compiled appliance on plain http of loopback, with local accounts and one protected host. */
export interface LoopbackSite extends AsyncDisposable {
  readonly appliance: Appliance;
  readonly origin: string;
  /** The protected host. */
  readonly appHost: string;
  /** Name of the session cookie on any host here. */
  readonly cookie: string;
  /** The browser that used the setup link. */
  readonly owner: Browser;
  /** Everything secret that was handed out or typed so far. */
  readonly secrets: Set<string>;
  url(path: string): URL;
  /** Makes a local account and signs it in for the first time. */
  addPerson(username: string): Promise<Browser>;
  signIn(username: string): Promise<Browser>;
  /** The same, whatever comes of it. */
  tryPassword(username: string): Promise<Visit>;
}

export interface LoopbackSiteOptions {
  /** Tables to add to `postern.toml`. */
  toml?: (origin: string) => string;
  port?: number;
  /** Where it runs; by default a directory of its own. */
  directory?: string;
}

/** Starts it from an empty directory and makes the owner with the setup link. */
export async function loopbackSite(options: LoopbackSiteOptions = {}): Promise<LoopbackSite> {
  await using starting = new AsyncDisposableStack();
  const port = options.port ?? freePort();
  const origin = `http://localhost:${port}`;
  const appHost = `app.localhost:${port}`;
  const more = options.toml?.(origin) ?? '';
  const appliance = starting.use(
    await startAppliance({
      port,
      toml: (ports) => configuration(ports, appHost) + more,
      ...(options.directory !== undefined && { directory: options.directory }),
    }),
  );
  const secrets = new Set<string>([PASSWORD]);
  const cookie = `postern_${port}`;
  const url = (path: string) => new URL(path, origin);

  /** Submits a form that signs somebody in. */
  const enter = async (path: string, fields: Record<string, string>): Promise<Browser> => {
    const browser = new Browser();
    const { response, text } = await browser.submit(url(path), fields);
    const token = browser.cookies.get(url('/'), cookie);
    if (token === undefined) throw new Error(`${path} signed nobody in: ${response.status} ${text}`);
    for (const value of browser.cookies.values()) secrets.add(value);
    return browser;
  };
  const newPassword = { new_password: PASSWORD, new_password_again: PASSWORD };

  const link = readFileSync(join(appliance.dataDir, 'setup-link'), 'utf8').trim();
  secrets.add(secretOf(link));
  const owner = await enter('/setup', { link, username: 'owner', via: 'password', ...newPassword });
  const running = starting.move();
  return {
    appliance,
    origin,
    appHost,
    cookie,
    owner,
    secrets,
    url,
    async addPerson(username) {
      const { out } = await appliance.run('user', 'create', username);
      const [reset = ''] = /http\S+\/reset-password#\S+/.exec(out) ?? [];
      secrets.add(secretOf(reset));
      return enter('/reset-password', { link: reset, ...newPassword });
    },
    tryPassword: (username) => new Browser().submit(url('/sign-in'), { username, password: PASSWORD }),
    signIn: (username) => enter('/sign-in', { username, password: PASSWORD }),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

const secretOf = (link: string) => link.slice(link.indexOf('#') + 1);

function configuration({ port, metricsPort }: AppliancePorts, appHost: string): string {
  return `url = "http://localhost:${port}"
listen = "127.0.0.1:${port}"
metrics_listen = "127.0.0.1:${metricsPort}"
trusted_proxies = ["127.0.0.1/32"]
[[forward_auth.rule]]
host = "${appHost}"
allow = "everyone"
`;
}
