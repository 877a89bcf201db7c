import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryDirectory } from './database.ts';
import { freePort } from './free-port.ts';
import { type Finished, type Running, startProgram } from './program.ts';

const BINARY = join(import.meta.dir, '..', '..', 'dist', 'postern');

/** The compiled program. @throws when nobody has built it. */
export function binary(): string {
  if (!existsSync(BINARY)) throw new Error('dist/postern is missing: bun run build');
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
}

/** The compiled program as a process, with a configuration file and nothing in its environment. */
export interface Appliance extends AppliancePorts, AsyncDisposable {
  readonly directory: string;
  readonly dataDir: string;
  /** The running process; another one after `restart`. */
  readonly process: Running;
  /** Runs a command beside it, on the same configuration. */
  run(...args: string[]): Promise<Finished>;
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
  const start = (...args: string[]) =>
    startProgram([binary(), ...args], directory, { PATH: process.env['PATH'] ?? '' });
  const serve = async (stack: AsyncDisposableStack) => {
    const server = stack.use(start('serve'));
    await server.printed('Postern is ready at ');
    return server;
  };
  let server = await serve(starting);
  const running = starting.move();
  return {
    directory,
    dataDir: join(directory, 'postern-data'),
    port,
    metricsPort,
    get process() {
      return server;
    },
    run: (...args) => start(...args).finished,
    async restart(signal = 'SIGTERM') {
      server.signal(signal);
      await server.finished;
      server = await serve(running);
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
