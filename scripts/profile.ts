import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../test/support/free-port.ts';

/** Which functions a start uses, for the compiler to put their bytecode together. Removed when disposed of. */
export interface Profile extends Disposable {
  /** `undefined` when the program could not be run here; then the file is a little larger in memory. */
  path: string | undefined;
}

const DEADLINE_MS = 20_000;
const POLL_MS = 20;
/** What is asked of nearly every appliance. */
const ASKED = ['/healthz', '/sign-in', '/forward-auth'];

/** Runs a compiled file as people do, in an empty directory, until it has answered. */
export async function recordProfile(binary: string): Promise<Profile> {
  const directory = mkdtempSync(join(tmpdir(), 'postern-profile-'));
  const path = join(directory, 'start.order');
  const [port, metricsPort] = [freePort(), freePort()];
  const origin = `http://localhost:${port}`;
  const child = Bun.spawn([binary, 'serve'], {
    cwd: directory,
    env: {
      BUN_BYTECODE_ORDER_OUT: path,
      POSTERN_URL: origin,
      POSTERN_LISTEN: `127.0.0.1:${port}`,
      POSTERN_METRICS_LISTEN: `127.0.0.1:${metricsPort}`,
    },
    stdio: ['ignore', 'ignore', 'ignore'],
  });
  const isUp = await answers(`http://127.0.0.1:${port}/healthz`);
  if (isUp) for (const asked of ASKED) await (await fetch(origin + asked)).arrayBuffer();
  // Written at the end of the process.
  child.kill(isUp ? 'SIGTERM' : 'SIGKILL');
  await child.exited;
  return {
    path: existsSync(path) ? path : undefined,
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }),
  };
}

async function answers(url: string): Promise<boolean> {
  const giveUpAt = performance.now() + DEADLINE_MS;
  while (performance.now() < giveUpAt) {
    const response = await fetch(url).catch(() => undefined);
    if (response?.ok === true) return true;
    await Bun.sleep(POLL_MS);
  }
  return false;
}
