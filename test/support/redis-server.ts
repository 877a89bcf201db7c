import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { locatePeer } from '../../scripts/peers.ts';
import { makeCertificate, type TestCertificate } from './certificate.ts';
import { temporaryDirectory } from './database.ts';
import { freePort } from './free-port.ts';
import { type Running, startProgram } from './program.ts';
import { until } from './until.ts';

export interface RedisServerOptions {
  /** Speaks TLS, with a certificate for `localhost` that is its own authority. */
  readonly tls?: boolean;
  readonly password?: string;
  /** Port of the server that it is a replica of. */
  readonly replicaOf?: number;
  /** Keeps what is written across `kill9`; otherwise everything is gone, as with Debian's own configuration. */
  readonly appendonly?: boolean;
  /** Further arguments, `['--databases', '4']`. */
  readonly args?: readonly string[];
}

/** A real redis-server of its own, on loopback. */
export interface TestRedis extends AsyncDisposable {
  /** `redis.url` of the configuration; database 0. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly password: string | undefined;
  /** Where it speaks TLS: its certificate is `redis.tls.ca` as well. */
  readonly certificate: TestCertificate | undefined;
  /** Everything it keeps. */
  readonly directory: string;
  readonly pid: number;
  /** The table `[redis]` of a `postern.toml`, and `[redis.tls]`; further lines go between them. */
  toml(...more: string[]): string;
  /** The same for the environment of a program. */
  readonly env: Record<string, string>;
  /** A plain client of the test's own, for looking and for mischief. The same one each time; ends with the server. */
  client(): Redis;
  /** Ends it without a word; resolves once it is gone. */
  kill9(): Promise<void>;
  /** Ends it as an operator would. */
  stop(): Promise<void>;
  /**
   * Starts it again at the same port, after `kill9` or `stop`, and resolves once it takes commands. What is given takes
   * the place of what it was first started with.
   */
  restart(changed?: RedisServerOptions): Promise<void>;
  /** Stands still, connections open, until `resume`. */
  pause(): void;
  resume(): void;
}

/** What Redis says once it takes commands; a replica says it too. */
const READY = 'Ready to accept connections';
const TAKEN = 'Address already in use';
const ATTEMPTS = 5;

/** Starts a server and waits until it takes commands. Disposing kills it and removes its directory. */
export async function startRedis(options: RedisServerOptions = {}): Promise<TestRedis> {
  await using starting = new AsyncDisposableStack();
  const directory = starting.use(temporaryDirectory());
  const certificate = options.tls === true ? await makeCertificate(directory.path, ['localhost']) : undefined;
  let [port, server] = await startSomewhere(directory.path, options, certificate);
  starting.defer(() => server[Symbol.asyncDispose]());
  let client: Redis | undefined;
  starting.defer(() => client?.disconnect());
  const running = starting.move();
  const host = certificate === undefined ? '127.0.0.1' : 'localhost';
  const url = `${certificate === undefined ? 'redis' : 'rediss'}://${host}:${port}/0`;
  const { password } = options;
  return {
    url,
    host,
    port,
    password,
    certificate,
    directory: directory.path,
    get pid() {
      return server.pid;
    },
    toml: (...more) => tomlOf({ url, password, certificate }, more),
    env: environmentOf({ url, password, certificate }),
    client() {
      client ??= clientOf({ port, host, password, certificate });
      return client;
    },
    kill9: () => end(server, 'SIGKILL'),
    stop: () => end(server, 'SIGTERM'),
    async restart(changed) {
      server = await startAgain(port, directory.path, { ...options, ...changed }, certificate);
    },
    pause: () => server.signal('SIGSTOP'),
    resume: () => server.signal('SIGCONT'),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** Replicas begin at once, and what is appended is on disk before it is answered. */
const ALWAYS = [
  ...'--bind 127.0.0.1 --daemonize no --appendfsync always --repl-diskless-sync-delay 0'.split(' '),
  '--save',
  '',
];

/** A port that was free a moment ago may be somebody else's by now. */
async function startSomewhere(
  directory: string,
  options: RedisServerOptions,
  certificate: TestCertificate | undefined,
): Promise<[port: number, server: Running]> {
  for (let attempt = 1; ; attempt++) {
    const port = freePort();
    try {
      return [port, await start(port, directory, options, certificate)];
    } catch (error) {
      if (!isTaken(error) || attempt === ATTEMPTS) throw error;
    }
  }
}

/** Meanwhile somebody's connection may have been given the port as its own, for as long as it lasts. */
async function startAgain(...where: Parameters<typeof start>): Promise<Running> {
  let server: Running | undefined;
  await until('the port is free again', async () => {
    server = await start(...where).catch((error: unknown) => {
      if (isTaken(error)) return undefined;
      throw error;
    });
    return server !== undefined;
  });
  if (server === undefined) throw new Error('there is no server');
  return server;
}

const isTaken = (error: unknown): boolean => error instanceof Error && error.message.includes(TAKEN);

async function start(
  port: number,
  directory: string,
  { password, replicaOf, appendonly, args = [] }: RedisServerOptions,
  certificate: TestCertificate | undefined,
): Promise<Running> {
  const keys = join(directory, 'keys');
  mkdirSync(keys, { recursive: true });
  const server = startProgram(
    [
      redisServer(),
      '--dir',
      keys,
      ...ALWAYS,
      '--appendonly',
      appendonly === true ? 'yes' : 'no',
      ...(certificate === undefined ? ['--port', String(port)] : tlsArguments(port, certificate)),
      ...(password === undefined ? [] : ['--requirepass', password, '--masterauth', password]),
      ...(replicaOf === undefined ? [] : ['--replicaof', '127.0.0.1', String(replicaOf)]),
      ...args,
    ],
    directory,
    { PATH: process.env['PATH'] ?? '' },
  );
  await server.printed(READY);
  return server;
}

export function redisServer(): string {
  const file = locatePeer('redis-server');
  if (file === undefined) throw new Error('redis-server is missing: apt-get install redis-server');
  return file;
}

function tlsArguments(port: number, { cert, key }: TestCertificate): string[] {
  const files = ['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', cert];
  return [
    '--port',
    '0',
    '--tls-port',
    String(port),
    ...files,
    '--tls-auth-clients',
    'no',
    '--tls-replication',
    'yes',
  ];
}

async function end(server: Running, signal: NodeJS.Signals): Promise<void> {
  server.signal(signal);
  await server.finished;
}

interface Reach {
  url: string;
  password: string | undefined;
  certificate: TestCertificate | undefined;
}

function tomlOf({ url, password, certificate }: Reach, more: readonly string[]): string {
  return [
    '[redis]',
    `url = "${url}"`,
    ...(password === undefined ? [] : [`password = "${password}"`]),
    ...more,
    ...(certificate === undefined ? [] : ['[redis.tls]', `ca = "${certificate.cert}"`]),
    '',
  ].join('\n');
}

function environmentOf({ url, password, certificate }: Reach): Record<string, string> {
  return {
    POSTERN_REDIS_URL: url,
    ...(password !== undefined && { POSTERN_REDIS_PASSWORD: password }),
    ...(certificate !== undefined && { POSTERN_REDIS_TLS_CA: certificate.cert }),
  };
}

interface Address extends Omit<Reach, 'url'> {
  host: string;
  port: number;
}

function clientOf({ host, port, password, certificate }: Address): Redis {
  const client = new Redis({
    host,
    port,
    protocol: 2,
    disableClientInfo: true,
    ...(password !== undefined && { username: 'default', password }),
    ...(certificate !== undefined && { tls: { ca: readFileSync(certificate.cert, 'utf8') } }),
    retryStrategy: () => 20,
  });
  // Tests stop and kill servers; a command that fails says so itself.
  client.on('error', () => undefined);
  return client;
}
