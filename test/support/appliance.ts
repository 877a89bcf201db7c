import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryDirectory } from './database.ts';
import { freePort } from './free-port.ts';
import { type Finished, type Running, startProgram } from './program.ts';

/** Another file can be put to the test than the one that was just built. */
const BINARY = process.env['POSTERN_TEST_BINARY'] ?? join(import.meta.dir, '..', '..', 'dist', 'postern');

/** The compiled program. @throws when nobody has built it. */
export function binary(): string {
  if (!existsSync(BINARY)) throw new Error(`${BINARY} is missing: bun run build`);
  return BINARY;
}

export interface AppliancePorts {
  readonly port: number;
  readonly metricsPort: number;
}

export interface ApplianceOptions {
  /** The whole of `postern.toml`, which has to say `listen` and `metrics_listen` as these ports of 127.0.0.1. */
  toml: (ports: AppliancePorts) => string;
  /** By default any free ones. */
  port?: number;
  metricsPort?: number;
  /** Where the file and `postern-data` go; by default a directory of its own that goes with the appliance. */
  directory?: string;
  /** How the program is run; by default the compiled one. */
  command?: readonly string[];
}

/** The compiled program as a process, with a configuration file and nothing in its environment. */
export interface Appliance extends AppliancePorts, AsyncDisposable {
  readonly directory: string;
  readonly dataDir: string;
  /** The running process; another one after `restart`. */
  readonly process: Running;
  /** Runs a command beside it, on the same configuration. */
  run(...args: string[]): Promise<Finished>;
  /** Starts the server without waiting for anything, as one more process. */
  begin(): Running;
  /** Ends it, by SIGTERM unless told otherwise, and waits for that. */
  stop(signal?: NodeJS.Signals): Promise<Finished>;
  /** Starts it again. */
  start(): Promise<void>;
  /** Everything that its processes printed, one after the other; commands left out. */
  printed(): string;
  /** Ends it, by SIGTERM unless told otherwise, waits for that, and starts it again. */
  restart(signal?: NodeJS.Signals): Promise<void>;
}

/** Starts the compiled program and waits until it is ready. Disposing kills it. */
export async function startAppliance(options: ApplianceOptions): Promise<Appliance> {
  await using starting = new AsyncDisposableStack();
  const directory = options.directory ?? starting.use(temporaryDirectory()).path;
  const port = options.port ?? freePort();
  const metricsPort = options.metricsPort ?? freePort();
  writeFileSync(join(directory, 'postern.toml'), options.toml({ port, metricsPort }));
  const command = options.command ?? [binary()];
  const run = (...args: string[]) =>
    startProgram([...command, ...args], directory, {
      PATH: process.env['PATH'] ?? '',
    });
  const servers: Running[] = [];
  const begin = (stack: AsyncDisposableStack) => {
    const server = stack.use(run('serve'));
    servers.push(server);
    return server;
  };
  const serve = async (stack: AsyncDisposableStack) => {
    const server = begin(stack);
    await server.printed('Postern is ready at ');
    return server;
  };
  let server = await serve(starting);
  const running = starting.move();
  const stop = (signal: NodeJS.Signals = 'SIGTERM') => {
    server.signal(signal);
    return server.finished;
  };
  const start = async () => {
    server = await serve(running);
  };
  return {
    directory,
    dataDir: join(directory, 'postern-data'),
    port,
    metricsPort,
    get process() {
      return server;
    },
    run: (...args) => run(...args).finished,
    begin: () => begin(running),
    stop,
    start,
    printed: () => servers.map((each) => each.out() + each.err()).join(''),
    async restart(signal) {
      await stop(signal);
      await start();
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
