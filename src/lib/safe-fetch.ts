import type { Clock } from './clock.ts';

export interface FetchLimits {
  clock: Clock;
  /** For the whole exchange, the body included. */
  timeoutMs: number;
  /** Longest body, decompressed. */
  maxBytes: number;
}

/** Why an exchange came to nothing. `timeout` and `unreachable` may pass; the others are what the server does. */
export type FetchFailure = 'timeout' | 'unreachable' | 'ended' | 'too_large';

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
  { clock, timeoutMs, maxBytes }: FetchLimits,
): Promise<Response> {
  const ending = new AbortController();
  const end = (failure: FetchFailure, message: string) => ending.abort(new FetchError(failure, message));
  using _timer = clock.setTimer(timeoutMs, () => end('timeout', 'no answer in time'));
  const onAbort = () => end('ended', 'the exchange was called off');
  if (init.signal?.aborted === true) onAbort();
  init.signal?.addEventListener('abort', onAbort, { once: true });
  try {
    const response = await fetch(url, { ...init, redirect: 'manual', signal: ending.signal });
    return await withWholeBody(response, maxBytes);
  } catch (error) {
    if (error instanceof FetchError) throw error;
    if (ending.signal.reason instanceof FetchError) throw ending.signal.reason;
    throw new FetchError('unreachable', 'the server cannot be reached', { cause: error });
  } finally {
    init.signal?.removeEventListener('abort', onAbort);
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
