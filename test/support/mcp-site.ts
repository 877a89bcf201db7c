import { join } from 'node:path';
import { type Appliance, type ApplianceOptions, type AppliancePorts, startAppliance } from './appliance.ts';
import { Browser } from './browser.ts';
import { freePort } from './free-port.ts';
import { authorizeByScript, type Decision, fetchTokens, registerClient, type Tokens } from './mcp-oauth.ts';
import { type OidcTestProvider, startOidcProvider } from './oidc-provider.ts';
import { providerTable, siteRegistration } from './sign-in.ts';

/** The appliance with MCP backends, on loopback, where everybody signs in at one provider. */
export interface McpSite<Running = Appliance> extends AsyncDisposable {
  readonly origin: string;
  readonly appliance: Running;
  /** Nobody answers at the provider's address from now on. */
  stopProvider(): Promise<void>;
  /** There is one at that address again, with an empty memory. */
  startProvider(): Promise<void>;
  /** The protected resource of a backend. */
  resource(backend: string): string;
  /** Somebody with a browser, not signed in yet. */
  person(subject: string): McpPerson;
}

export interface McpPerson {
  readonly subject: string;
  readonly browser: Browser;
  /** Opens an authorization URL, signs in and decides. Resolves to where the client is sent back to. */
  authorize(url: string | URL, decision?: Decision): Promise<URL>;
  /** Lets a client have tokens for a backend, by default a new one. */
  connect(backend: string, clientId?: string): Promise<Connection>;
}

export interface Connection extends Tokens {
  readonly clientId: string;
}

export interface McpSiteOptions {
  /** Tables `[[mcp]]`, and whatever else the configuration should say. */
  toml: string;
  /** How the program is run; by default the compiled one. */
  command?: readonly string[];
  /** The port of `url`, when something stands in front of the appliance. */
  publicPort?: number;
  /** More keys of the provider's table, and more of the provider's own configuration. */
  providerToml?: string;
  providerConfiguration?: Record<string, unknown>;
}

/** Nobody listens there: the scripted browser stops before it gets so far. */
const REDIRECT_URI = 'http://127.0.0.1/callback';

export function startMcpSite(options: McpSiteOptions): Promise<McpSite> {
  const { command } = options;
  return startMcpSiteAs(options, (site) => startAppliance({ ...site, ...(command && { command }) }));
}

/** The same, where `start` decides how it runs. */
export async function startMcpSiteAs<Running extends AsyncDisposable>(
  options: Omit<McpSiteOptions, 'command'>,
  start: (site: ApplianceOptions) => Promise<Running>,
): Promise<McpSite<Running>> {
  await using starting = new AsyncDisposableStack();
  const port = freePort();
  const publicPort = options.publicPort ?? port;
  const origin = `http://localhost:${publicPort}`;
  const providerPort = freePort();
  const openProvider = () =>
    startOidcProvider({
      port: providerPort,
      clients: [siteRegistration(publicPort, 'home')],
      ...(options.providerConfiguration && { configuration: options.providerConfiguration }),
    });
  let provider: OidcTestProvider | undefined = await openProvider();
  const stopProvider = async () => {
    const ending = provider;
    provider = undefined;
    await ending?.[Symbol.asyncDispose]();
  };
  starting.defer(stopProvider);
  const toml = (ports: AppliancePorts) =>
    configuration(origin, ports, `http://127.0.0.1:${providerPort}`, options);
  const appliance = starting.use(await start({ port, toml }));
  const running = starting.move();
  const resource = (backend: string) => `${origin}/mcp/${backend}`;

  return {
    origin,
    appliance,
    resource,
    stopProvider,
    async startProvider() {
      provider = await openProvider();
    },
    person(subject) {
      const browser = new Browser();
      const authorize: McpPerson['authorize'] = async (url, decision) => {
        if (provider === undefined) throw new Error('the provider was stopped');
        return authorizeByScript({ browser, provider, subject }, url, decision);
      };
      return {
        subject,
        browser,
        authorize,
        async connect(backend, known) {
          const clientId = known ?? (await registerClient(origin, REDIRECT_URI, `client of ${subject}`));
          const request = {
            origin,
            resource: resource(backend),
            clientId,
            redirectUri: REDIRECT_URI,
            authorize,
          };
          return { ...(await fetchTokens(request)), clientId };
        },
      };
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

function configuration(
  origin: string,
  { port, metricsPort }: AppliancePorts,
  issuer: string,
  { toml, providerToml = '' }: McpSiteOptions,
): string {
  return `url = "${origin}"
listen = "127.0.0.1:${port}"
metrics_listen = "127.0.0.1:${metricsPort}"

${providerTable('home', issuer)}label = "Home"
${providerToml}

${toml}
`;
}

const FIXTURES = join(import.meta.dir, 'mcp-fixtures');
/** A command that names the project: children find all of it, also where it stands in a /tmp of which they have their own. */
const BUN_IN_PROJECT = [process.execPath, '--no-env-file', '--cwd', join(import.meta.dir, '..', '..')];

/** The command of a fixture server: `legacy-server`, `modern-server`. */
export const fixtureCommand = (name: string): string[] => [...BUN_IN_PROJECT, join(FIXTURES, `${name}.ts`)];

const PACKAGES = join(import.meta.dir, '..', '..', 'node_modules', '@modelcontextprotocol');

/** The command of a reference server: `everything`, `filesystem`, `memory`. */
export const serverCommand = (name: string, ...args: string[]): string[] => [
  ...BUN_IN_PROJECT,
  join(PACKAGES, `server-${name}`, 'dist', 'index.js'),
  ...args,
];

/** A table `[[mcp]]` that everybody may use. */
export const mcpTable = (name: string, command: readonly string[], more = ''): string => `[[mcp]]
name = "${name}"
command = ${JSON.stringify(command)}
allow = "everyone"
${more}
`;
