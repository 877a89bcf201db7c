import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import type { Clock } from './clock.ts';
import { isPublicAddress } from './public-address.ts';

export interface FetchLimits {
  clock: Clock;
  /** For the whole exchange, the body included. */
  timeoutMs: number;
  /** Longest body, decompressed. */
  maxBytes: number;
}

/** Why an exchange came to nothing. `timeout` and `unreachable` may pass; the others are what the server does. */
export type FetchFailure = 'timeout' | 'unreachable' | 'ended' | 'too_large' | 'not_public';

/** An exchange without an answer. The message names neither address nor content. */
export class FetchError extends Error {
  override readonly name = 'FetchError';
  readonly failure: FetchFailure;

  constructor(failure: FetchFailure, message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.failure = failure;
  }
}

/** Statuses that never have a body (RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5). */
const BODILESS = [204, 205, 304];
/** They tell of the bytes on the wire, which are decoded and counted by now. */
const WIRE_HEADERS = ['content-encoding', 'content-length', 'transfer-encoding'];

/**
 * One exchange with an address that the operator wrote, or that a server named which the operator wrote: private
 * addresses are fine. Redirects are handed back, never followed. The body has arrived when this resolves.
 * @throws FetchError when there is no answer within the limits, or `init.signal` aborted.
 */
export async function fetchConfigured(
  url: string,
  init: RequestInit,
  limits: FetchLimits,
): Promise<Response> {
  return exchange(init, limits, () => ({ url, init }));
}

/** Where an untrusted address leads. Tests bring their own: nothing of theirs is on the public internet. */
export interface Reach {
  /** Every address of a host name. */
  resolve: (host: string) => Promise<readonly string[]>;
  mayConnect: (address: string) => boolean;
  /** Authorities besides those of the system, PEM. */
  ca?: string;
}

const PUBLIC_INTERNET: Reach = {
  resolve: async (host) => (await lookup(host, { all: true })).map(({ address }) => address),
  mayConnect: isPublicAddress,
};

/**
 * One GET of an address that a stranger named: https alone, no redirects, no cookies, and only to public addresses. The name
 * is resolved once, every address of it has to be public, and the connection goes to the address that was looked at, so that
 * a name which changes its mind (DNS rebinding) leads nowhere else.
 * @throws FetchError; `not_public` where the address may not be asked.
 */
export async function fetchUntrusted(
  url: string,
  headers: Readonly<Record<string, string>>,
  limits: FetchLimits,
  reach: Reach = PUBLIC_INTERNET,
): Promise<Response> {
  const target = new URL(url);
  if (target.protocol !== 'https:') throw new FetchError('not_public', 'only https is asked');
  if (target.username !== '' || target.password !== '') {
    throw new FetchError('not_public', 'an address with a user is not asked');
  }
  return exchange({}, limits, async () => {
    const address = await publicAddressOf(target.hostname, reach);
    return { url: pinned(target, address), init: pinnedInit(target, headers, reach) };
  });
}

async function publicAddressOf(hostname: string, { resolve, mayConnect }: Reach): Promise<string> {
  const literal = hostname.replace(/^\[(.*)\]$/, '$1');
  const addresses = isIP(literal) === 0 ? await resolve(literal) : [literal];
  const [first] = addresses;
  if (first === undefined) throw new FetchError('unreachable', 'the name has no address');
  if (!addresses.every(mayConnect)) throw new FetchError('not_public', 'the address is not a public one');
  return first;
}

function pinned({ port, pathname, search }: URL, address: string): string {
  const host = address.includes(':') ? `[${address}]` : address;
  return `https://${host}${port === '' ? '' : `:${port}`}${pathname}${search}`;
}

/** The name stays what the certificate is held against, and what the server is asked for. */
function pinnedInit({ host, hostname }: URL, headers: Readonly<Record<string, string>>, { ca }: Reach) {
  return {
    headers: { ...headers, host },
    keepalive: false,
    tls: {
      ...(ca === undefined ? {} : { ca }),
      serverName: hostname,
      checkServerIdentity: (_: string, certificate: PeerCertificate) =>
        checkServerIdentity(hostname, certificate),
    },
  };
}

interface Addressed {
  url: string;
  init: RequestInit;
}

async function exchange(
  { signal }: Pick<RequestInit, 'signal'>,
  { clock, timeoutMs, maxBytes }: FetchLimits,
  address: () => Addressed | Promise<Addressed>,
): Promise<Response> {
  const ending = new AbortController();
  const end = (failure: FetchFailure, message: string) => ending.abort(new FetchError(failure, message));
  using _timer = clock.setTimer(timeoutMs, () => end('timeout', 'no answer in time'));
  const onAbort = () => end('ended', 'the exchange was called off');
  if (signal?.aborted === true) onAbort();
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    const { url, init } = await orEnded(Promise.resolve(address()), ending.signal);
    const response = await fetch(url, { ...init, redirect: 'manual', signal: ending.signal });
    return await withWholeBody(response, maxBytes);
  } catch (error) {
    if (error instanceof FetchError) throw error;
    if (ending.signal.reason instanceof FetchError) throw ending.signal.reason;
    throw new FetchError('unreachable', 'the server cannot be reached', { cause: error });
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}

/**
 * Like `fetchConfigured`, but resolves with the head of the answer; the body is the caller's to read and to bound. Nothing
 * but `init.signal` ends it: an event stream may stay open for days.
 * @throws FetchError when there is no answer, or `init.signal` aborted.
 */
export async function fetchConfiguredStream(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, { ...init, redirect: 'manual', timeout: false });
  } catch (error) {
    if (init.signal?.aborted === true) {
      throw new FetchError('ended', 'the exchange was called off', { cause: error });
    }
    throw new FetchError('unreachable', 'the server cannot be reached', { cause: error });
  }
}

/** A resolver takes its own time; whoever waits does not have to. */
function orEnded<T>(pending: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) return Promise.reject(signal.reason as Error);
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    pending.then(resolve, reject);
  });
}

async function withWholeBody(response: Response, maxBytes: number): Promise<Response> {
  const { status, statusText } = response;
  const bytes = await readBounded(response, maxBytes);
  const headers = new Headers(response.headers);
  for (const name of WIRE_HEADERS) headers.delete(name);
  return new Response(BODILESS.includes(status) ? null : bytes, { status, statusText, headers });
}

async function readBounded(response: Response, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.byteLength;
    if (length > maxBytes) throw new FetchError('too_large', 'the answer is too large');
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}
