import { z } from 'zod';
import type { Clock } from '../lib/clock.ts';
import { type FetchError, fetchConfigured } from '../lib/safe-fetch.ts';
import type { DeviceKey } from '../signatures/ed25519-key.ts';
import { signRequest } from '../signatures/sign-request.ts';
import type { Pairing } from './model.ts';
import type { ServerTime } from './server-time.ts';

/** What the server answered. */
export interface ServerAnswer {
  readonly status: number;
  /** Of a refusal (`application/problem+json`); `undefined` where it is none of ours. */
  readonly code: string | undefined;
  /** For people, of a refusal. */
  readonly detail: string | undefined;
  readonly body: unknown;
  /** What time it was there, epoch milliseconds. */
  readonly serverMs: number | undefined;
  /** Milliseconds that it asks to be left alone for. */
  readonly retryAfterMs: number | undefined;
}

export interface ServerDeps {
  clock: Clock;
  /** Certificates that are believed besides the system's, PEM. */
  ca: string | undefined;
}

interface PlainRequest {
  method: string;
  url: URL;
  body?: unknown;
  headers?: Readonly<Record<string, string>>;
}

const TIMEOUT_MS = 15_000;
const MAX_BYTES = 256 * 1_024;

const problemSchema = z.object({
  code: z.string(),
  detail: z.string().optional(),
  title: z.string().optional(),
  server_time: z.number().optional(),
});

/** One request to the server, JSON both ways. @throws FetchError when there is no answer. */
export async function askServer(
  { method, url, body, headers }: PlainRequest,
  { clock, ca }: ServerDeps,
): Promise<ServerAnswer> {
  const response = await fetchConfigured(
    url.href,
    {
      method,
      headers: { ...headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(ca !== undefined && { tls: { ca } }),
    },
    { clock, timeoutMs: TIMEOUT_MS, maxBytes: MAX_BYTES },
  );
  const json = parseJson(await response.text());
  const isProblem = response.headers.get('content-type')?.startsWith('application/problem+json') === true;
  const problem = isProblem ? problemSchema.safeParse(json).data : undefined;
  // A proxy on the way writes its own `Date`; what judges signatures says its time in the refusal.
  const serverMs =
    problem?.server_time === undefined
      ? Date.parse(response.headers.get('date') ?? '')
      : problem.server_time * 1_000;
  const retryAfter = Number(response.headers.get('retry-after') ?? Number.NaN);
  return {
    status: response.status,
    code: problem?.code,
    detail: problem?.detail ?? problem?.title,
    body: json,
    serverMs: Number.isNaN(serverMs) ? undefined : serverMs,
    retryAfterMs: Number.isNaN(retryAfter) ? undefined : retryAfter * 1_000,
  };
}

export interface SignerDeps extends ServerDeps {
  pairing: Pairing;
  key: DeviceKey;
  time: ServerTime;
}

/** One request that the device signs. @throws FetchError when there is no answer. */
export function askSigned(
  method: string,
  path: string,
  deps: SignerDeps,
  body?: unknown,
): Promise<ServerAnswer> {
  const { pairing, key, time } = deps;
  const url = new URL(path, pairing.server);
  const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
  const headers = signRequest(
    { method, url, ...(bytes && { body: bytes }) },
    { key, sessionId: pairing.sessionId, now: time.now() },
  );
  return askServer({ method, url, headers, ...(body !== undefined && { body }) }, deps);
}

/** With what the system said, where that is known: a certificate that nobody believes is another errand than a closed port. */
export function whyUnreachable({ message, cause }: FetchError): string {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : undefined;
  return code === undefined ? message : `${message} (${code})`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
