import { parseListen } from '../config/hosts.ts';
import type { Config } from '../config/schema.ts';
import { systemClock } from '../lib/clock.ts';
import { CommandError } from '../lib/command-error.ts';
import { fetchConfigured } from '../lib/safe-fetch.ts';

/** Docker gives a health check 30 s, and people less. */
const TIMEOUT_MS = 5_000;
const MAX_ANSWER_BYTES = 64 * 1024;

/** The listener itself, past every proxy; one that listens everywhere is asked on loopback. */
export function healthUrl({ listen, tls }: Pick<Config, 'listen' | 'tls'>): string {
  const { hostname, port } = parseListen(listen) ?? { hostname: '127.0.0.1', port: 0 };
  const near = hostname === '0.0.0.0' ? '127.0.0.1' : hostname === '::' ? '::1' : hostname;
  return `${tls === undefined ? 'http' : 'https'}://${near.includes(':') ? `[${near}]` : near}:${port}/healthz`;
}

/**
 * The status that a `/healthz` answers. The certificate is checked only where it is for the name that is asked.
 * @throws CommandError when there is no answer.
 */
export async function askHealth(url: string, { checkCertificate = false } = {}): Promise<number> {
  const init: BunFetchRequestInit = { tls: { rejectUnauthorized: checkCertificate } };
  try {
    const limits = { clock: systemClock, timeoutMs: TIMEOUT_MS, maxBytes: MAX_ANSWER_BYTES };
    return (await fetchConfigured(url, init, limits)).status;
  } catch (error) {
    throw new CommandError(`${url} does not answer: ${reasonOf(error)}`, 1, { cause: error });
  }
}

/** With what the system said, where that is known: "connection refused" helps more than "cannot be reached". */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error';
  const cause = error.cause instanceof Error && 'code' in error.cause ? ` (${String(error.cause.code)})` : '';
  return `${error.message}${cause}`;
}
