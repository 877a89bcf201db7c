import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { binary } from './appliance.ts';
import { Browser } from './browser.ts';
import type { SiteOfPeople } from './busy-person.ts';
import { temporaryDirectory } from './database.ts';
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts';
import { freePort } from './free-port.ts';
import { PASSWORD } from './loopback-site.ts';
import { type OidcTestProvider, startOidcProvider } from './oidc-provider.ts';
import { type Running, startProgram } from './program.ts';
import { type RedisPair, startRedisPair } from './redis-pair.ts';
import { startRoundRobin } from './round-robin.ts';
import { CLIENT_SECRET, providerTable, siteRegistration } from './sign-in.ts';

/** Timers of the nodes, in milliseconds: what takes seconds in a home takes moments here. */
export const TIMING = {
  heartbeat_interval: 200,
  heartbeat_timeout: 800,
  outbox_timeout: 300,
  lookup_timeout: 400,
  connect_timeout: 500,
  read_block_timeout: 150,
} as const;

/** One process of the appliance, with a line of its own to Redis. */
export interface FaultNode {
  readonly name: string;
  readonly port: number;
  readonly line: FaultProxy;
  readonly pid: number;
  /** Ends it without a word. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** Everything that its processes printed. */
  printed(): string;
}

/** Compiled nodes over one data directory, behind a balancer, each with a line to Redis that fails when told to. */
export interface RedisFaultSite extends SiteOfPeople, AsyncDisposable {
  readonly nodes: readonly FaultNode[];
  readonly redis: RedisPair;
  /** Its logout tokens carry `sid`. */
  readonly home: OidcTestProvider;
  /** Its logout tokens carry `sub` alone. */
  readonly work: OidcTestProvider;
  /** Makes a local account, and sets its password. */
  addPerson(username: string): Promise<void>;
  /** Signs the owner in again where Redis has lost that session. Resolves with whether there is one now. */
  renewOwner(): Promise<boolean>;
}

/** `lastsMs` bounds how long faults of the lines last that pass. */
export async function redisFaultSite(
  names: readonly string[],
  lastsMs: readonly [number, number],
): Promise<RedisFaultSite> {
  await using starting = new AsyncDisposableStack();
  const directory = starting.use(temporaryDirectory()).path;
  const redis = starting.use(await startRedisPair());
  const ports = names.map(() => freePort());
  const { port } = starting.use(startRoundRobin(ports));
  const origin = `http://localhost:${port}`;
  const appHost = `app.localhost:${port}`;
  const home = starting.use(await startOidcProvider({ clients: [siteRegistration(port, 'home')] }));
  const work = starting.use(
    await startOidcProvider({
      clients: [siteRegistration(port, 'work', { backchannelLogoutSessionRequired: false })],
      host: 'localhost',
    }),
  );
  const providers = providerTable('home', home.issuer) + providerTable('work', work.issuer);
  writeFileSync(join(directory, 'postern.toml'), configuration(origin, appHost) + providers);
  const nodes: FaultNode[] = [];
  for (const [index, name] of names.entries()) {
    const line = starting.use(await startFaultProxy(() => redis.primary.port, lastsMs));
    const roles = index === 0 ? 'broker,hub' : '';
    nodes.push(starting.use(await startNode({ directory, name, port: ports[index] ?? 0, line, roles })));
  }

  const secrets = new Set<string>([PASSWORD, CLIENT_SECRET]);
  const cookie = `postern_${port}`;
  const url = (path: string) => new URL(path, origin);
  const enter = async (path: string, fields: Record<string, string>): Promise<Browser> => {
    const browser = new Browser();
    const { response, text } = await browser.submit(url(path), fields);
    if (browser.cookies.get(url('/'), cookie) === undefined)
      throw new Error(`${path} signed nobody in: ${response.status} ${text}`);
    for (const value of browser.cookies.values()) secrets.add(value);
    return browser;
  };
  const newPassword = { new_password: PASSWORD, new_password_again: PASSWORD };
  const link = readFileSync(join(directory, 'postern-data', 'setup-link'), 'utf8').trim();
  let owner = await enter('/setup', { link, username: 'owner', via: 'password', ...newPassword });

  const running = starting.move();
  return {
    nodes,
    redis,
    home,
    work,
    origin,
    appHost,
    cookie,
    secrets,
    url,
    get owner() {
      return owner;
    },
    async addPerson(username) {
      const program = startProgram([binary(), 'user', 'create', username], directory, {
        ...environment(),
        POSTERN_REDIS_URL: redis.primary.url,
      });
      const { out, err } = await program.finished;
      const [reset = ''] = /http\S+\/reset-password#\S+/.exec(out) ?? [];
      if (reset === '') throw new Error(`no link for ${username}: ${out}${err}`);
      secrets.add(reset.slice(reset.indexOf('#') + 1));
      await enter('/reset-password', { link: reset, ...newPassword });
    },
    async renewOwner() {
      const { status } = await owner.fetch(url('/api/v1/session'));
      if (status !== 401) return status === 200;
      const renewed = new Browser();
      await renewed.submit(url('/sign-in'), { username: 'owner', password: PASSWORD });
      if (renewed.cookies.get(url('/'), cookie) === undefined) return false;
      owner = renewed;
      return true;
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

interface NodeOptions {
  directory: string;
  name: string;
  port: number;
  line: FaultProxy;
  roles: string;
}

async function startNode({
  directory,
  name,
  port,
  line,
  roles,
}: NodeOptions): Promise<FaultNode & AsyncDisposable> {
  const lives: Running[] = [];
  const current = (): Running => {
    const last = lives.at(-1);
    if (last === undefined) throw new Error(`${name} was never started`);
    return last;
  };
  const start = async () => {
    const life = startProgram([binary(), 'serve'], directory, {
      ...environment(),
      POSTERN_NODE: name,
      POSTERN_ROLES: roles,
      POSTERN_LISTEN: `127.0.0.1:${port}`,
      POSTERN_METRICS_LISTEN: `127.0.0.1:${freePort()}`,
      POSTERN_REDIS_URL: `redis://127.0.0.1:${line.port}/0`,
    });
    lives.push(life);
    await life.printed('Postern is ready at ');
  };
  await start();
  return {
    name,
    port,
    line,
    start,
    get pid() {
      return current().pid;
    },
    async kill() {
      current().signal('SIGKILL');
      await current().finished;
    },
    printed: () => lives.map((life) => life.out() + life.err()).join(''),
    [Symbol.asyncDispose]: () => current()[Symbol.asyncDispose](),
  };
}

const environment = () => ({ PATH: process.env['PATH'] ?? '' });

function configuration(origin: string, appHost: string): string {
  const timing = Object.entries(TIMING).map(([key, ms]) => `${key} = "${ms}ms"\n`);
  return `url = "${origin}"
trusted_proxies = ["127.0.0.1/32"]
sign_in.provider_timeout = "10s"
sign_in.attempts_per_address = 100000
sign_in.attempts_per_account = 100000
[redis]
${timing.join('')}
[[forward_auth.rule]]
host = "${appHost}"
allow = "everyone"
`;
}
