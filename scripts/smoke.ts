import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { freePort } from '../test/support/free-port.ts';
import { projectRoot } from './step.ts';
import { formatTally, type Tally } from './tally.ts';

/**
 * `bun scripts/smoke.ts [dist/postern]`: what somebody meets who downloads the file and runs it in an empty directory,
 * with nothing else installed. Most traps of compiled programs do not show when the source is run.
 */

const START_DEADLINE_MS = 20_000;
const EXIT_DEADLINE_MS = 12_000;
const POLL_MS = 20;

const binary = resolve(projectRoot, process.argv[2] ?? 'dist/postern');
const directory = mkdtempSync(join(tmpdir(), 'postern-smoke-'));
const [port, metricsPort] = [freePort(), freePort()];
const origin = `http://localhost:${port}`;
const environment = {
  // Nothing but the file itself: no bun, no node, no shell to be found.
  PATH: '/nonexistent',
  POSTERN_URL: origin,
  POSTERN_LISTEN: `127.0.0.1:${port}`,
  POSTERN_METRICS_LISTEN: `127.0.0.1:${metricsPort}`,
};

const tally: Tally = { passed: 0, failed: 0 };
const server = start(['serve']);

try {
  const startedAt = performance.now();
  await check('answers its first 200', async () => {
    await firstOk(`http://127.0.0.1:${port}/healthz`);
    console.log(`  after ${Math.round(performance.now() - startedAt)} ms`);
  });
  await check('keeps everything in a directory that only its owner may read', () => {
    expect(
      readdirSync(directory).join(' ') === 'postern-data',
      `the directory holds: ${readdirSync(directory).join(' ')}`,
    );
    const mode = statSync(join(directory, 'postern-data')).mode & 0o777;
    expect(mode === 0o700, `postern-data has mode ${mode.toString(8)}`);
  });
  await check('hands out a setup link, whose page is there', async () => {
    const link = await eventually('a setup link on standard output or in a file', findSetupLink);
    const { status } = await fetch(link);
    expect(status === 200, `${new URL(link).pathname} answers ${status}`);
  });
  await check('shows a page to sign in on, with a strict policy for its content', async () => {
    const response = await fetch(`${origin}/sign-in`);
    const page = await response.text();
    expect(
      response.status === 200 && page.includes('<title>Sign in'),
      `/sign-in answers ${response.status}: ${page.slice(0, 200)}`,
    );
    const policy = response.headers.get('content-security-policy') ?? 'none';
    expect(policy.includes("default-src 'none'") && !policy.includes('unsafe'), `the policy is: ${policy}`);
  });
  await check('is in production mode: a refusal repeats nothing', async () => {
    const response = await fetch(`${origin}/api/v1/tokens?marker=4f1c`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin },
      body: '{"label":"marker-4f1c"}',
    });
    const text = await response.text();
    expect(response.status >= 400 && !text.includes('4f1c'), `answers ${response.status}: ${text}`);
  });
  await check('shows metrics on a listener of their own', async () => {
    const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
    expect(metrics.includes('# TYPE postern_'), `no metrics of ours: ${metrics.slice(0, 200)}`);
    const { status } = await fetch(`${origin}/metrics`);
    expect(status === 404, `the public listener answers ${status} for /metrics`);
  });
  await check('refuses a second instance on the same data', async () => {
    const second = start(['serve', '--listen', '127.0.0.1:0', '--metrics-listen', '127.0.0.1:0']);
    const exitCode = await exitOf(second);
    expect(exitCode === 1 && second.printed().includes('in use'), `exit ${exitCode}: ${second.printed()}`);
  });
  await check('ends with 0 on SIGTERM', async () => {
    server.child.kill('SIGTERM');
    const exitCode = await exitOf(server);
    expect(exitCode === 0, `exit ${exitCode}`);
  });
  await check('starts again on the data it left', async () => {
    const again = start(['serve']);
    await firstOk(`http://127.0.0.1:${port}/healthz`);
    again.child.kill('SIGINT');
    const exitCode = await exitOf(again);
    expect(exitCode === 0, `exit ${exitCode}`);
  });
} finally {
  server.child.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
}
console.log(formatTally(tally));
process.exitCode = tally.failed === 0 ? 0 : 1;

interface Started {
  child: Bun.Subprocess<'ignore', 'pipe', 'pipe'>;
  /** What it has printed so far, on either stream. */
  printed: () => string;
}

function start(args: readonly string[]): Started {
  const child = Bun.spawn([binary, ...args], {
    cwd: directory,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  const collect = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) text += decoder.decode(chunk, { stream: true });
  };
  void Promise.all([collect(child.stdout), collect(child.stderr)]);
  return { child, printed: () => text };
}

async function check(name: string, run: () => void | Promise<void>): Promise<void> {
  try {
    await run();
    tally.passed++;
    console.log(`ok   ${name}`);
  } catch (error) {
    tally.failed++;
    console.log(`FAIL ${name}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function expect(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise);
}

function firstOk(url: string): Promise<true> {
  return eventually(`a 200 from ${url}`, async () => {
    try {
      return (await fetch(url)).ok ? true : undefined;
    } catch {
      return undefined;
    }
  });
}

function findSetupLink(): string | undefined {
  const folder = join(directory, 'postern-data');
  const files = readdirSync(folder).filter(
    (file) => file.startsWith('setup') && (statSync(join(folder, file)).mode & 0o777) === 0o600,
  );
  const texts = [server.printed(), ...files.map((file) => readFileSync(join(folder, file), 'utf8'))];
  return texts.map((text) => /http:\/\/\S+\/setup#\S+/.exec(text)?.[0]).find((link) => link !== undefined);
}

async function eventually<T>(what: string, look: () => T | undefined | Promise<T | undefined>): Promise<T> {
  const giveUpAt = performance.now() + START_DEADLINE_MS;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > giveUpAt) throw new Error(`no ${what} within ${START_DEADLINE_MS} ms`);
    await Bun.sleep(POLL_MS);
  }
}

async function exitOf({ child }: Started): Promise<number | string> {
  const deadline = Bun.sleep(EXIT_DEADLINE_MS).then(() => `none within ${EXIT_DEADLINE_MS} ms`);
  return Promise.race([child.exited, deadline]);
}
