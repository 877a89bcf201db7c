import { type Config, configSchema, type RedisConfig } from '../../src/config/schema.ts';
import { openDatabase } from '../../src/db/open.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createMetrics, type Metrics } from '../../src/lib/metrics.ts';
import { openRedis, type RedisConnections } from '../../src/redis/open.ts';
import { elsewhereOverRedis } from '../../src/sessions/elsewhere-redis.ts';
import type { Issued } from '../../src/sessions/ledger.ts';
import { sessionsInRedis } from '../../src/sessions/open-redis.ts';
import { type TemporaryDatabase, temporaryDatabase } from './database.ts';
import { type TemporaryLedger, temporaryLedger } from './ledger.ts';
import type { TestRedis } from './redis-server.ts';
import { recordedLog } from './silent-log.ts';
import { until } from './until.ts';

/** One of several processes that share sessions: a ledger with connections of its own. */
export interface SessionNode extends TemporaryLedger {
  readonly redis: RedisConnections;
  /** What it measures of the events of others. */
  readonly elsewhere: Metrics;
  /** What it says of them. */
  readonly said: ReturnType<typeof recordedLog>['lines'];
  readonly redisConfig: RedisConfig;
  /** Whether what is in memory is believed. */
  isTrusted(): boolean;
  /** One of the figures above; 0 for what has not happened yet. */
  figure(series: string): number;
}

export interface SessionNodesOptions {
  redis?: Partial<RedisConfig>;
  sessions?: Partial<Config['sessions']>;
}

export interface SessionNodes extends AsyncDisposable {
  readonly first: SessionNode;
  readonly second: SessionNode;
  /** One more, which the caller disposes of. */
  another(options?: SessionNodesOptions): Promise<SessionNode>;
}

/** Intervals that a test can wait for, in the proportions of the configuration's own. */
const QUICK = {
  read_block_timeout: 200,
  heartbeat_interval: 50,
  heartbeat_timeout: 1_000,
  outbox_timeout: 400,
} satisfies Partial<RedisConfig>;

/** What `[redis]` comes to for this server. */
function redisConfigOf(server: TestRedis, changes: Partial<RedisConfig> = {}): RedisConfig {
  const { url, password, certificate } = server;
  return {
    ...configSchema.parse({}).redis,
    url,
    ...(password !== undefined && { password }),
    ...(certificate !== undefined && { tls: { ca: certificate.cert } }),
    ...QUICK,
    ...changes,
  };
}

/** Two ledgers over one database and one Redis, each as if it were alone in its process. */
export async function sessionNodes(
  server: TestRedis,
  options: SessionNodesOptions = {},
): Promise<SessionNodes> {
  await using opening = new AsyncDisposableStack();
  const database = opening.use(temporaryDatabase(systemClock));
  const node = (more: SessionNodesOptions = {}) =>
    openNode(server, sharing(database), {
      redis: { ...options.redis, ...more.redis },
      sessions: { ...options.sessions, ...more.sessions },
    });
  const first = opening.use(await node());
  const second = opening.use(await node());
  const opened = opening.move();
  return { first, second, another: node, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

async function openNode(
  server: TestRedis,
  database: TemporaryDatabase,
  { redis: changes, sessions = {} }: SessionNodesOptions,
): Promise<SessionNode> {
  await using opening = new AsyncDisposableStack();
  opening.use(database);
  const redisConfig = redisConfigOf(server, changes);
  const log = recordedLog();
  const metrics = createMetrics();
  const deps = { clock: systemClock, log, metrics };
  const redis = opening.use(await openRedis(redisConfig, deps));
  const open = await elsewhereOverRedis({ redis, config: redisConfig, ...deps });
  const base = opening.use(
    temporaryLedger({
      clock: systemClock,
      database,
      sessions,
      elsewhere: { open, sessions: sessionsInRedis(redis.commands), consistency: redisConfig.consistency },
    }),
  );
  await base.ledger.ready;
  const opened = opening.move();
  return {
    ...base,
    redis,
    redisConfig,
    elsewhere: metrics,
    said: log.lines,
    isTrusted: () => figureIn(metrics, 'postern_session_cache_trusted') === 1,
    figure: (series) => figureIn(metrics, series),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** Two processes with nothing behind them that trust what they have in memory, and somebody who signed in at the first. */
export async function trustingNodes(server: TestRedis, options: SessionNodesOptions = {}) {
  await using opening = new AsyncDisposableStack();
  await server.client().flushall();
  const nodes = opening.use(await sessionNodes(server, options));
  await until('both are trusted', () => nodes.first.isTrusted() && nodes.second.isTrusted());
  const issued = await nodes.first.signIn(await nodes.first.addUser());
  const opened = opening.move();
  return { ...nodes, issued, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

const FIRST_USE = { user: 'cookie', grant: 'personal', device: 'device' } as const;

/** What a process makes of the token that a session began with, where it is good. */
export async function askNode({ ledger }: Pick<SessionNode, 'ledger'>, { session, token }: Issued) {
  const [audience] = session.audience;
  if (audience === undefined) throw new Error('a session without an audience');
  return await ledger.authenticate(token, FIRST_USE[session.kind], audience);
}

export function figureIn(metrics: Metrics, series: string): number {
  const line = metrics
    .render()
    .split('\n')
    .find((each) => each.startsWith(`${series} `));
  return Number(line?.slice(series.length + 1) ?? 0);
}

/** Another connection to the same file. */
function sharing({ path, directory }: TemporaryDatabase): TemporaryDatabase {
  const db = openDatabase({ path, clock: systemClock });
  return { db, path, directory, [Symbol.asyncDispose]: () => db[Symbol.asyncDispose]() };
}
