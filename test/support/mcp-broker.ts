import { join } from 'node:path';
import { systemClock } from '../../src/lib/clock.ts';
import { createMetrics, type Metrics } from '../../src/lib/metrics.ts';
import { aboutCache } from '../../src/mcp/about-cache.ts';
import { type BrokerOptions, openBroker, type RunningBroker } from '../../src/mcp/broker.ts';
import { secretMissing } from '../../src/mcp/broker-errors.ts';
import { type ChildProcess, spawnChild } from '../../src/mcp/child-process.ts';
import type { ClientView, Exchange, Holder, LogLevel } from '../../src/mcp/exchange.ts';
import type { JsonObject } from '../../src/mcp/json-rpc.ts';
import { backendLauncher } from '../../src/mcp/launch-backend.ts';
import type { ChildLauncher } from '../../src/mcp/launcher.ts';
import type { Backend, HttpTransport } from '../../src/mcp/model.ts';
import { fillPlaceholders } from '../../src/mcp/placeholders.ts';
import { resourceAudience } from '../../src/sessions/audience.ts';
import type { Session } from '../../src/sessions/model.ts';
import { sessionStore } from '../../src/sessions/store.ts';
import type { UpstreamChange, UpstreamToken, UpstreamTokens } from '../../src/upstream/tokens.ts';
import type { User, UserId } from '../../src/users/model.ts';
import { TEST_ORIGIN, type TemporaryLedger, temporaryLedger } from './ledger.ts';
import { ManualClock } from './manual-clock.ts';
import { fixtureBackend } from './mcp-backend.ts';

const MODULES = join(import.meta.dir, '../../node_modules/@modelcontextprotocol');
/** Programs of other people, as they are published. */
export const SERVERS = {
  everything: join(MODULES, 'server-everything/dist/index.js'),
  memory: join(MODULES, 'server-memory/dist/index.js'),
  filesystem: join(MODULES, 'server-filesystem/dist/index.js'),
  odd: join(import.meta.dir, 'mcp-odd-server.ts'),
  legacy: join(import.meta.dir, 'mcp-fixtures/legacy-server.ts'),
  modern: join(import.meta.dir, 'mcp-fixtures/modern-server.ts'),
} as const;

/** Tokens at providers, as a test hands them out. */
export class FakeUpstream implements Pick<UpstreamTokens, 'current' | 'onRefreshed' | 'onSecretChanged'> {
  token: UpstreamToken | undefined = { accessToken: 'token-1', expiresAt: undefined, version: 1 };
  /** What `current` throws. */
  outage: Error | undefined;
  readonly secrets = new Map<string, string>();
  readonly #listeners = new Set<(change: UpstreamChange) => void>();
  readonly #secretListeners = new Set<(change: { userId: UserId; name: string }) => void>();

  current(): Promise<UpstreamToken | undefined> {
    return this.outage === undefined ? Promise.resolve(this.token) : Promise.reject(this.outage);
  }

  onRefreshed(listener: (change: UpstreamChange) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  onSecretChanged(listener: (change: { userId: UserId; name: string }) => void): Disposable {
    this.#secretListeners.add(listener);
    return { [Symbol.dispose]: () => void this.#secretListeners.delete(listener) };
  }

  /** A new token has been committed. */
  refresh(userId: UserId, token: Partial<UpstreamToken> = {}): UpstreamToken {
    const version = (this.token?.version ?? 0) + 1;
    this.token = { accessToken: `token-${version}`, expiresAt: undefined, version, ...token };
    for (const listener of this.#listeners) listener({ userId, provider: 'idp', token: this.token });
    return this.token;
  }

  changeSecret(userId: UserId, name: string, value: string | undefined): void {
    if (value === undefined) this.secrets.delete(name);
    else this.secrets.set(name, value);
    for (const listener of this.#secretListeners) listener({ userId, name });
  }
}

export interface TemporaryBroker extends AsyncDisposable {
  readonly broker: RunningBroker;
  readonly clock: ManualClock;
  readonly upstream: FakeUpstream;
  readonly things: TemporaryLedger;
  readonly metrics: Metrics;
  /** Children that were started, and those of them that still run. */
  readonly started: ChildProcess[];
  readonly alive: () => number;
  /** Places in the limits that are taken. */
  readonly places: () => number;
  /** The grant as it stands now. */
  readonly ledger: (holder: Holder) => Session | undefined;
  /** Runs before each child is started, and may hold it up. */
  beforeLaunch: () => Promise<void> | void;
  readonly addUser: () => Promise<User>;
  /** Somebody with a grant of its own at this backend. */
  readonly holder: (backend?: Backend, user?: User) => Promise<Holder>;
}

const DEFAULTS: BrokerOptions = {
  limits: { perUser: 8, total: 16 },
  idleMs: 900_000,
  swapTimeoutMs: 30_000,
  drainMs: 30_000,
  probeTimeoutMs: 2_000,
  restarts: { firstMs: 1_000, longestMs: 60_000 },
};

/** A backend that runs a script with this very program. */
export function scriptBackend(
  script: string,
  args: readonly string[] = [],
  overrides: Partial<Backend> = {},
): Backend {
  return fixtureBackend('one', TEST_ORIGIN, {
    transport: {
      kind: 'stdio',
      argv: [process.execPath, script, ...args],
      env: overrides.provider === undefined ? {} : { TOKEN: '${upstream.access_token}' },
      isolation: 'exempt',
      cache: undefined,
    },
    messageBytes: 1_048_576,
    ...overrides,
  });
}

export function remoteBackend(
  transport: Omit<HttpTransport, 'kind'>,
  overrides: Partial<Backend> = {},
): Backend {
  return fixtureBackend('one', TEST_ORIGIN, {
    transport: { kind: 'http', ...transport },
    messageBytes: 1_048_576,
    ...overrides,
  });
}

export interface TemporaryBrokerOptions {
  backends?: Backend[];
  /** A ledger that is there already, and is not closed. */
  things?: TemporaryLedger;
  clock?: ManualClock;
  /** In the place of tokens that the test hands out. */
  tokens?: Pick<UpstreamTokens, 'current' | 'onRefreshed' | 'onSecretChanged'>;
}

/** The real broker with real children, without isolation; time stands still until a test moves it. */
export function temporaryBroker(
  options: Partial<BrokerOptions> & TemporaryBrokerOptions = {},
): TemporaryBroker {
  const clock = options.clock ?? new ManualClock();
  const things = options.things ?? temporaryLedger({ clock });
  const upstream = new FakeUpstream();
  const metrics = createMetrics();
  const started: ChildProcess[] = [];
  const running = new Set<ChildProcess>();
  const { db, log, ledger } = things;

  const children: ChildLauncher = {
    async launch({ backend, values, onLine, onLong }) {
      await result.beforeLaunch();
      const { argv, env } = backend.transport;
      const filled = fillPlaceholders(env, values);
      if (filled.missing.length > 0) throw secretMissing();
      const child = spawnChild({
        argv,
        env: {
          ...filled.values,
          PATH: process.env['PATH'] ?? '',
          BUN_RUNTIME_TRANSPILER_CACHE_PATH: '0',
        },
        cwd: import.meta.dir,
        clock,
        maxLineBytes: backend.messageBytes,
        maxQueuedBytes: 4 * backend.messageBytes,
        ladder: { inputClosedMs: 2_000, terminatedMs: 3_000 },
        wrappers: 0,
        onLine,
        onLong,
        onErrorLine: () => undefined,
      });
      started.push(child);
      running.add(child);
      void child.exited.then(() => running.delete(child));
      return child;
    },
  };
  const {
    backends = [scriptBackend(SERVERS.odd)],
    things: shared,
    clock: _clock,
    tokens,
    ...given
  } = options;
  const broker = openBroker({
    backends,
    launch: backendLauncher({
      children,
      secret: (_user, name) => upstream.secrets.get(name),
      clock: systemClock,
      log,
    }),
    upstream: tokens ?? upstream,
    ledger,
    abouts: aboutCache({ db, clock, log }),
    clock,
    log,
    metrics,
    options: { ...DEFAULTS, ...given },
  });

  const addUser = async (): Promise<User> => {
    const id = await things.addUser();
    const found = await db.write((tx) => sessionStore(db).findUser(tx, id));
    if (found === undefined) throw new Error('the person is not there');
    return found;
  };
  const result: TemporaryBroker = {
    broker,
    clock,
    upstream,
    things,
    metrics,
    started,
    alive: () => running.size,
    places: () => broker.placesTaken,
    ledger: ({ session }) => ledger.findDurable(session.id),
    beforeLaunch: () => undefined,
    addUser,
    async holder(backend = backends[0] ?? scriptBackend(SERVERS.odd), user) {
      const person = user ?? (await addUser());
      const { session: issuer } = await things.signIn(person.id);
      const { session } = await db.write((tx) =>
        ledger.openGrant(tx, {
          issuedBy: issuer.id,
          clientId: 'client',
          label: 'Test client',
          audience: resourceAudience(backend.resource),
          scope: backend.scope,
          origin: { provider: undefined, providerSid: undefined, address: undefined, userAgent: undefined },
        }),
      );
      return { session, user: person, backend };
    },
    async [Symbol.asyncDispose]() {
      const closing = broker[Symbol.asyncDispose]();
      for (const child of running) child.kill();
      await closing;
      await Promise.all(started.map(({ exited }) => exited));
      if (shared === undefined) await things[Symbol.asyncDispose]();
    },
  };
  return result;
}

export interface TestExchange extends Exchange {
  readonly notified: { method: string; params: JsonObject | undefined }[];
  readonly asked: { method: string; params: JsonObject | undefined; name: string | undefined }[];
  cancel(): void;
}

export interface TestExchangeOptions {
  era?: ClientView['era'];
  capabilities?: JsonObject;
  logLevel?: LogLevel;
  /** What the client answers. */
  answer?: (method: string, params: JsonObject | undefined) => Promise<JsonObject> | JsonObject;
}

/** A request of a client. */
export function exchangeOf(
  method: string,
  params: JsonObject | undefined,
  { era = 'legacy', capabilities = {}, logLevel, answer = () => ({}) }: TestExchangeOptions = {},
): TestExchange {
  const calling = new AbortController();
  const notified: TestExchange['notified'] = [];
  const asked: TestExchange['asked'] = [];
  return {
    method,
    params,
    client: {
      era,
      protocolVersion: era === 'modern' ? '2026-07-28' : '2025-11-25',
      info: { name: 'test', version: '1' },
      capabilities,
      logLevel,
    },
    signal: calling.signal,
    notify: (name, given) => void notified.push({ method: name, params: given }),
    async ask(name, given, key) {
      asked.push({ method: name, params: given, name: key });
      return answer(name, given);
    },
    notified,
    asked,
    cancel: () => calling.abort(new Error('cancelled')),
  };
}

/** Calls a tool through a lease of its own. */
export async function callTool(
  broker: RunningBroker,
  holder: Holder,
  name: string,
  args: JsonObject = {},
  options: TestExchangeOptions & { meta?: JsonObject } = {},
): Promise<JsonObject> {
  const { meta, ...rest } = options;
  const params = { name, arguments: args, ...(meta && { _meta: meta }) };
  return callExchange(broker, holder, exchangeOf('tools/call', params, rest));
}

export async function callExchange(
  broker: RunningBroker,
  holder: Holder,
  exchange: Exchange,
): Promise<JsonObject> {
  const lease = await broker.lease(holder);
  try {
    return await lease.connection.call(exchange);
  } finally {
    lease.release();
  }
}

/** The text of a tool's result. */
export function textOf(result: JsonObject): string {
  const content = result['content'] as { text?: string }[] | undefined;
  return content?.map(({ text }) => text ?? '').join('') ?? '';
}

/** What the odd server knows of itself. */
export interface OddState {
  readonly pid: number;
  readonly level: string;
  readonly heard: string[];
  readonly cancelled: number[];
  readonly subscriptions: string[];
  readonly token: string | undefined;
  readonly env: string[];
}

export async function stateOf(broker: RunningBroker, holder: Holder): Promise<OddState> {
  return JSON.parse(textOf(await callTool(broker, holder, 'state'))) as OddState;
}
