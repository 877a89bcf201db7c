import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { systemClock } from '../../../src/lib/clock.ts';
import { FetchError, type FetchFailure, fetchConfigured } from '../../../src/lib/safe-fetch.ts';
import { freePort } from '../../support/free-port.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const LIMITS = { clock: systemClock, timeoutMs: 5_000, maxBytes: 1_000 };

let server: Bun.Server<undefined>;
let reached: PromiseWithResolvers<void>;
const at = (path: string) => new URL(path, server.url).href;

beforeAll(() => {
  reached = Promise.withResolvers();
  server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    async fetch(request) {
      const { pathname } = new URL(request.url);
      if (pathname === '/echo') return new Response(`${request.method} ${await request.text()}`);
      if (pathname === '/moved') return Response.redirect('/echo', 302);
      if (pathname === '/large') return new Response('x'.repeat(1_001));
      if (pathname === '/bomb') return packed('x'.repeat(1_000_000));
      if (pathname === '/packed') return packed('small');
      if (pathname === '/empty') return new Response(null, { status: 204 });
      reached.resolve();
      if (pathname === '/silent') return new Promise<Response>(() => {});
      return new Response(
        new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(1)) }),
      );
    },
  });
});

afterAll(() => server.stop(true));

const packed = (text: string) =>
  new Response(Bun.gzipSync(Buffer.from(text)), { headers: { 'content-encoding': 'gzip' } });

async function failureOf(exchange: Promise<Response>): Promise<FetchFailure> {
  const error = await exchange.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof FetchError)) throw error;
  return error.failure;
}

describe('an exchange', () => {
  test('has its whole answer when it resolves', async () => {
    const response = await fetchConfigured(at('/echo'), { method: 'POST', body: 'hello' }, LIMITS);
    expect(await response.text()).toBe('POST hello');
    expect((await fetchConfigured(at('/empty'), {}, LIMITS)).status).toBe(204);
  });

  test('hands a redirect back instead of following it', async () => {
    const response = await fetchConfigured(at('/moved'), {}, LIMITS);
    expect(response.status).toBe(302);
    expect(response.headers.get('location')).toBe('/echo');
  });

  test('counts what it unpacks', async () => {
    const response = await fetchConfigured(at('/packed'), {}, LIMITS);
    expect(await response.text()).toBe('small');
    expect(response.headers.has('content-encoding')).toBeFalse();
    expect(await failureOf(fetchConfigured(at('/bomb'), {}, LIMITS))).toBe('too_large');
    expect(await failureOf(fetchConfigured(at('/large'), {}, LIMITS))).toBe('too_large');
  });

  test('with nobody is unreachable, and the error names no address', async () => {
    const exchange = fetchConfigured(`http://127.0.0.1:${freePort()}/secret`, {}, LIMITS);
    const error = await exchange.catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ failure: 'unreachable' });
    expect(String(error)).not.toContain('127.0.0.1');
  });

  test.each(['/silent', '/endless'])('with a server that does not finish ends in time: %s', async (path) => {
    const clock = new ManualClock();
    reached = Promise.withResolvers();
    const failure = failureOf(fetchConfigured(at(path), {}, { ...LIMITS, clock, timeoutMs: 100 }));
    await reached.promise;
    await clock.advance(100);
    expect(await failure).toBe('timeout');
  });

  test('ends when it is called off, before or during', async () => {
    const calledOff = new AbortController();
    reached = Promise.withResolvers();
    const failure = failureOf(fetchConfigured(at('/silent'), { signal: calledOff.signal }, LIMITS));
    await reached.promise;
    calledOff.abort();
    expect(await failure).toBe('ended');
    expect(await failureOf(fetchConfigured(at('/echo'), { signal: calledOff.signal }, LIMITS))).toBe('ended');
  });
});
