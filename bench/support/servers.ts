/** A server in a process of its own. */
export interface BenchServer extends AsyncDisposable {
  pid: number;
  /** `http://127.0.0.1:port` */
  origin: string;
}

const START_DEADLINE_MS = 20_000;
const EXIT_DEADLINE_MS = 12_000;

export interface ServerCommand {
  command: readonly string[];
  cwd: string;
  env?: Record<string, string>;
  origin: string;
  /** A path that answers 200 or 204 once the server is ready. */
  readyPath: string;
  /** What asking for it takes. */
  headers?: Readonly<Record<string, string>>;
}

/** Starts a program and waits until it answers. @throws with what it printed when it does not. */
export async function startServer({
  command,
  cwd,
  env = {},
  origin,
  readyPath,
  headers = {},
}: ServerCommand): Promise<BenchServer> {
  const child = Bun.spawn([...command], {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let printed = '';
  const collecting = collect(child.stderr, (text) => {
    printed = (printed + text).slice(-8_000);
  });
  const giveUpAt = performance.now() + START_DEADLINE_MS;
  while (!(await answers(origin + readyPath, headers))) {
    if (child.exitCode !== null || performance.now() > giveUpAt) {
      child.kill('SIGKILL');
      await collecting;
      throw new Error(`${command.join(' ')} does not answer: ${printed}`);
    }
    await Bun.sleep(20);
  }
  return {
    pid: child.pid,
    origin,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await Promise.race([child.exited, Bun.sleep(EXIT_DEADLINE_MS)]);
      child.kill('SIGKILL');
      await child.exited;
    },
  };
}

/** The measure of what `Bun.serve` can do at all on this machine: one static route. */
export function startStaticServer(port: number, cwd: string): Promise<BenchServer> {
  const program = `Bun.serve({ hostname: '127.0.0.1', port: ${port}, routes: { '/static': new Response(null, { status: 204 }) } });`;
  const command = [process.execPath, '-e', program];
  return startServer({ command, cwd, origin: `http://127.0.0.1:${port}`, readyPath: '/static' });
}

async function answers(url: string, headers: Readonly<Record<string, string>>): Promise<boolean> {
  try {
    return (await fetch(url, { redirect: 'manual', headers })).ok;
  } catch {
    return false;
  }
}

async function collect(stream: ReadableStream<Uint8Array>, take: (text: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  for await (const chunk of stream) take(decoder.decode(chunk, { stream: true }));
}
