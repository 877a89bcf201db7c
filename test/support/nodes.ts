import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ApplianceOptions, binary } from './appliance.ts';
import { temporaryDirectory } from './database.ts';
import { freePort } from './free-port.ts';
import { type Finished, type Running, startProgram } from './program.ts';
import { startRedis, type TestRedis } from './redis-server.ts';
import { startRoundRobin } from './round-robin.ts';

/** One process of several that share a data directory. */
export interface Node {
  readonly name: string;
  /** Where it listens itself, past the balancer. */
  readonly port: number;
  readonly metricsPort: number;
  /** The running process; another one after `restart`. */
  readonly process: Running;
  stop(signal?: NodeJS.Signals): Promise<Finished>;
  /** With the roles that it had unless told otherwise. */
  start(roles?: string): Promise<void>;
}

/** What tests of one process and of several have in common. */
export interface Servers extends AsyncDisposable {
  /** The balancer’s, which `url` names. */
  readonly port: number;
  readonly directory: string;
  readonly dataDir: string;
  /** Runs a command beside them, on the same configuration. */
  run(...args: string[]): Promise<Finished>;
  /** Everything that they printed. */
  printed(): string;
  /** Each ends, by SIGTERM unless told otherwise, and is started again; one after the other. */
  restart(signal?: NodeJS.Signals): Promise<void>;
}

export interface Nodes extends Servers {
  readonly nodes: readonly [Node, Node, ...Node[]];
  readonly redis: TestRedis;
  /** One more process on the same directory that nobody waits for. */
  begin(...args: string[]): Running;
}

export interface NodesOptions extends ApplianceOptions {
  /** By default a plain one of its own. */
  redis?: TestRedis;
}

/** Starts the compiled program twice on one data directory, with Redis, behind a balancer. The first has both roles. */
export async function startNodes(options: NodesOptions): Promise<Nodes> {
  await using starting = new AsyncDisposableStack();
  const directory = options.directory ?? starting.use(temporaryDirectory()).path;
  const redis = options.redis ?? starting.use(await startRedis());
  const port = options.port ?? freePort();
  const toml = options.toml({ port, metricsPort: options.metricsPort ?? freePort() });
  writeFileSync(join(directory, 'postern.toml'), `${toml}\n${redis.toml()}`);
  const launch = (...args: string[]) =>
    startProgram([...(options.command ?? [binary()]), ...args], directory, {
      PATH: process.env['PATH'] ?? '',
    });
  const [first, second] = await bothOf(
    starting,
    startNode('one', 'broker,hub', launch),
    startNode('two', '', launch),
  );
  const nodes = [first, second] as const;
  starting.use(
    startRoundRobin(
      nodes.map((node) => node.port),
      port,
    ),
  );
  const running = starting.move();
  return {
    nodes: [first, second],
    redis,
    port,
    directory,
    dataDir: join(directory, 'postern-data'),
    run: (...args) => launch(...args).finished,
    begin: (...args) => running.use(launch(...args)),
    printed: () => nodes.map((node) => node.printed()).join(''),
    async restart(signal) {
      for (const node of nodes) {
        await node.stop(signal);
        await node.start();
      }
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** They start in the same moment; when one does not, the other ends. */
async function bothOf<T extends AsyncDisposable>(
  starting: AsyncDisposableStack,
  one: Promise<T>,
  other: Promise<T>,
): Promise<[T, T]> {
  for (const each of await Promise.allSettled([one, other])) {
    if (each.status === 'fulfilled') starting.use(each.value);
  }
  return [await one, await other];
}

interface NodeEnd extends AsyncDisposable {
  printed(): string;
}

type Launch = (...args: string[]) => Running;

async function startNode(name: string, roles: string, launch: Launch): Promise<Node & NodeEnd> {
  const [port, metricsPort] = [freePort(), freePort()];
  const all: Running[] = [];
  const serve = async (asRoles = roles) => {
    const address = ['--listen', `127.0.0.1:${port}`, '--metrics-listen', `127.0.0.1:${metricsPort}`];
    const server = launch('serve', '--node', name, '--roles', asRoles, ...address);
    all.push(server);
    await server.printed('Postern is ready at ');
    return server;
  };
  let server = await serve();
  return {
    name,
    port,
    metricsPort,
    get process() {
      return server;
    },
    stop(signal: NodeJS.Signals = 'SIGTERM') {
      server.signal(signal);
      return server.finished;
    },
    async start(asRoles) {
      server = await serve(asRoles);
    },
    printed: () => all.map((each) => each.out() + each.err()).join(''),
    async [Symbol.asyncDispose]() {
      for (const each of all) await each[Symbol.asyncDispose]();
    },
  };
}
