import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryDirectory } from './database.ts';
import { freePort } from './free-port.ts';

const PROJECT = join(import.meta.dir, '..', '..');
const BINARY = join(PROJECT, 'dist', 'postern');
const READY = 'Postern is ready at ';

/** The ways in which people run the program: from source, and as the compiled file where it has been built. */
export const PROGRAMS: readonly (readonly [name: string, command: readonly string[]])[] = [
  ['from source', [process.execPath, '--no-env-file', join(PROJECT, 'src', 'main.ts')]],
  ...(existsSync(BINARY) ? [['compiled', [BINARY]] as const] : []),
];

export interface Finished {
  exitCode: number;
  out: string;
  err: string;
}

export interface Running extends AsyncDisposable {
  readonly pid: number;
  signal(name: NodeJS.Signals): void;
  /** Resolves once standard output or error holds the text. */
  printed(text: string): Promise<void>;
  /** What it printed so far. */
  out(): string;
  err(): string;
  /** Waits for its end. */
  readonly finished: Promise<Finished>;
}

/** An empty directory to run the program in, with ports and an environment of its own. */
export interface Workplace extends AsyncDisposable {
  readonly directory: string;
  readonly dataDir: string;
  readonly port: number;
  readonly url: string;
  /** Runs one command to its end. */
  run(...args: string[]): Promise<Finished>;
  /** Starts the server and waits for its ready line. */
  serve(...args: string[]): Promise<Running>;
  /** Starts a command without waiting for anything. */
  start(...args: string[]): Running;
  /** For programs that are started otherwise: the whole command line and its environment. */
  readonly command: readonly string[];
  readonly env: Record<string, string>;
}

/** What was started and still runs ends with it. */
export function workplace(command: readonly string[], env: Record<string, string> = {}): Workplace {
  const directory = temporaryDirectory();
  const [port, metricsPort] = [freePort(), freePort()];
  const url = `http://localhost:${port}`;
  const environment = {
    PATH: process.env['PATH'] ?? '',
    POSTERN_URL: url,
    POSTERN_LISTEN: `127.0.0.1:${port}`,
    POSTERN_METRICS_LISTEN: `127.0.0.1:${metricsPort}`,
    ...env,
  };
  const started = new AsyncDisposableStack();
  const start = (...args: string[]) =>
    started.use(startProgram([...command, ...args], directory.path, environment));
  return {
    command,
    env: environment,
    directory: directory.path,
    dataDir: join(directory.path, 'postern-data'),
    port,
    url,
    start,
    run: (...args) => start(...args).finished,
    async serve(...args) {
      const server = start('serve', ...args);
      await server.printed(READY);
      return server;
    },
    async [Symbol.asyncDispose]() {
      await started.disposeAsync();
      directory[Symbol.dispose]();
    },
  };
}

/** Starts a program with this environment and no other; disposing kills it and waits for its end. */
export function startProgram(command: readonly string[], cwd: string, env: Record<string, string>): Running {
  const child = Bun.spawn([...command], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let onText: () => void = () => undefined;
  const out = collect(child.stdout, () => onText());
  const err = collect(child.stderr, () => onText());
  const finished = Promise.all([child.exited, out.ended, err.ended]).then(([exitCode]) => ({
    exitCode,
    out: out.text(),
    err: err.text(),
  }));
  return {
    pid: child.pid,
    finished,
    out: out.text,
    err: err.text,
    signal: (name) => child.kill(name),
    async printed(text) {
      const holds = () => out.text().includes(text) || err.text().includes(text);
      const appeared = new Promise<void>((resolve) => {
        onText = () => {
          if (holds()) resolve();
        };
        onText();
      });
      await Promise.race([appeared, finished]);
      if (!holds())
        throw new Error(
          `it ended (${child.exitCode}) without printing "${text}":\n${out.text()}${err.text()}`,
        );
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await finished;
    },
  };
}

function collect(stream: ReadableStream<Uint8Array>, onText: () => void) {
  let text = '';
  const read = async () => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      text += decoder.decode(chunk, { stream: true });
      onText();
    }
  };
  return { text: () => text, ended: read() };
}
