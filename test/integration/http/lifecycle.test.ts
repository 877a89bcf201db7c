import { describe, expect, test } from 'bun:test';
import { connect } from 'node:net';
import { keepOpen } from '../../../src/http/keep-open.ts';
import { startMetricsServer } from '../../../src/http/metrics-server.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { CommandError } from '../../../src/lib/command-error.ts';
import { createMetrics } from '../../../src/lib/metrics.ts';
import { newRoutes, SERVED_HOST, temporaryServer } from '../../support/http-server.ts';
import { ManualClock, settle } from '../../support/manual-clock.ts';
import { rawHead, rawHttp } from '../../support/raw-http.ts';
import { recordedLog } from '../../support/silent-log.ts';

const HOST = `Host: ${SERVED_HOST}`;
const DRAIN_MS = 10_000;
const LIMITS = { maxBodyBytes: 1_000, headTimeoutMs: 10_000, drainTimeoutMs: DRAIN_MS };

/** A route that has begun and ends when told. */
function slowRoute() {
  const begun = Promise.withResolvers<void>();
  const end = Promise.withResolvers<void>();
  const routes = newRoutes().get('/slow', async () => {
    begun.resolve();
    await end.promise;
    return new Response('done');
  });
  return { routes, begun: begun.promise, end: () => end.resolve() };
}

const isOpen = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = connect({ host: '127.0.0.1', port }, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });

describe('shutting down', () => {
  test('accepts nothing more and lets what is running finish', async () => {
    const slow = slowRoute();
    const server = temporaryServer((router) => router.use(slow.routes));
    const answer = rawHttp(server.port, rawHead('GET /slow HTTP/1.1', HOST));
    await slow.begun;
    const closed = server[Symbol.asyncDispose]();
    expect(await isOpen(server.port)).toBe(false);
    slow.end();
    expect((await answer).body).toBe('done');
    await closed;
  });

  test('cuts what is still running at the deadline', async () => {
    const slow = slowRoute();
    const clock = new ManualClock();
    const server = temporaryServer((router) => router.use(slow.routes), { clock, limits: LIMITS });
    const answer = rawHttp(server.port, rawHead('GET /slow HTTP/1.1', HOST)).catch(() => 'cut');
    await slow.begun;
    const closed = server[Symbol.asyncDispose]();
    await settle();
    await clock.advance(DRAIN_MS);
    await closed;
    expect(await answer).toMatchObject({});
    expect(server.log.lines).toContainEqual(expect.objectContaining({ level: 'warn' }));
    slow.end();
  });

  test('ends open streams first', async () => {
    const stream = streamRoute();
    const server = temporaryServer((router) => router.use(stream.routes), {
      clock: new ManualClock(),
      endOpenAnswers: stream.end,
    });
    const answer = rawHttp(server.port, rawHead('GET /events HTTP/1.1', HOST));
    await stream.opened;
    await server[Symbol.asyncDispose]();
    expect((await answer).body).toContain(': open');
  });

  test('twice is harmless', async () => {
    const server = temporaryServer();
    await Promise.all([server[Symbol.asyncDispose](), server[Symbol.asyncDispose]()]);
    await server[Symbol.asyncDispose]();
  });
});

/** An event stream that would stay open for ever. */
function streamRoute() {
  const opened = Promise.withResolvers<void>();
  const ending = new AbortController();
  const routes = newRoutes().get('/events', ({ request }) => {
    keepOpen(request);
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(Buffer.from(': open\n\n'));
        ending.signal.addEventListener('abort', () => controller.close());
        opened.resolve();
      },
    });
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
  });
  return { routes, opened: opened.promise, end: () => ending.abort() };
}

test('a stream that ends takes its connection with it, since that has no timeout any more', async () => {
  const stream = streamRoute();
  await using server = temporaryServer((router) => router.use(stream.routes));
  const head = rawHead('GET /events HTTP/1.1', HOST).replace('Connection: close\r\n', '');
  const answer = rawHttp(server.port, head);
  await stream.opened;
  stream.end();
  expect((await answer).headers.get('connection')).toBe('close');
});

describe('an address', () => {
  test('that is taken is said plainly', async () => {
    await using first = temporaryServer();
    const listen = { hostname: '127.0.0.1', port: first.port };
    expect(() => temporaryServer(() => {}, { listen })).toThrow(CommandError);
    expect(() => temporaryServer(() => {}, { listen })).toThrow(String(first.port));
  });
});

describe('the metrics listener', () => {
  test('serves them and nothing else', async () => {
    const metrics = createMetrics();
    metrics.counter('postern_test_total', 'A test.').inc();
    await using server = startMetricsServer({
      listen: { hostname: '127.0.0.1', port: 0 },
      metrics,
      clock: systemClock,
      log: recordedLog(),
    });
    const { port } = server.address;
    const scrape = await rawHttp(port, rawHead('GET /metrics HTTP/1.1', 'Host: prometheus'));
    expect(scrape.headers.get('content-type')).toStartWith('text/plain; version=0.0.4');
    expect(scrape.body).toContain('postern_test_total 1');
    expect((await rawHttp(port, rawHead('GET / HTTP/1.1', 'Host: prometheus'))).status).toBe(404);
    const refused = await rawHttp(
      port,
      rawHead('POST /metrics HTTP/1.1', 'Host: prometheus', 'Content-Length: 0'),
    );
    expect(refused.status).toBe(405);
    expect(refused.headers.get('allow')).toBe('GET, HEAD');
  });
});
