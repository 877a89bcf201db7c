import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { systemClock } from '../../../src/lib/clock.ts';
import { FetchError, fetchUntrusted, type Reach } from '../../../src/lib/safe-fetch.ts';
import { DOCUMENT_HOST, documentServer } from '../../support/hostile-documents.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const LIMITS = { clock: systemClock, timeoutMs: 5_000, maxBytes: 5_120 };

let server: Awaited<ReturnType<typeof documentServer>>;

beforeAll(async () => {
  server = await documentServer();
  server.answer(
    '/plain',
    ({ headers }) => new Response(`hello ${headers.get('host')} ${headers.get('cookie')}`),
  );
});
afterAll(() => server[Symbol.asyncDispose]());

const failureOf = (exchange: Promise<Response>): Promise<string> =>
  exchange.then(
    ({ status }) => `answered ${status}`,
    (error: unknown) => (error instanceof FetchError ? error.failure : String(error)),
  );
const ask = (url: string, reach: Partial<Reach> = {}) =>
  fetchUntrusted(url, {}, LIMITS, { ...server.reach, ...reach });

test('asks the server that the name stands for, by its name', async () => {
  expect(await (await ask(server.url('/plain'))).text()).toBe(`hello ${DOCUMENT_HOST}:${server.port} null`);
});

describe('refuses before anything is sent', () => {
  test.each([
    'http://client.example/',
    'ftp://client.example/',
    'file:///etc/passwd',
    'https://user:pass@client.example/',
  ])('%s', async (url) => expect(await failureOf(ask(url))).toBe('not_public'));

  test.each([
    'https://127.0.0.1/',
    'https://127.1/',
    'https://0x7f000001/',
    'https://2130706433/',
    'https://[::1]/',
    'https://[::ffff:127.0.0.1]/',
    'https://[fe80::1]/',
    'https://169.254.169.254/latest/meta-data',
    'https://10.0.0.1/',
    'https://192.168.0.1/',
    'https://localhost/',
  ])('%s, on the real internet', async (url) => {
    expect(await failureOf(fetchUntrusted(url, {}, LIMITS))).toBe('not_public');
  });

  test('a name with one address that is not public among those that are', async () => {
    const asked = server.asked.length;
    const resolve = async () => ['127.0.0.1', '10.0.0.1'];
    expect(await failureOf(ask(server.url('/plain'), { resolve }))).toBe('not_public');
    expect(server.asked).toHaveLength(asked);
  });

  test('a name without an address, and one that cannot be looked up', async () => {
    expect(await failureOf(ask(server.url('/plain'), { resolve: async () => [] }))).toBe('unreachable');
    const failing = () => Promise.reject(new Error('SERVFAIL'));
    expect(await failureOf(ask(server.url('/plain'), { resolve: failing }))).toBe('unreachable');
  });
});

test('a name that changes its mind after it was looked at leads nowhere else', async () => {
  const answers = [['127.0.0.1'], ['127.0.0.2']];
  const looked: string[] = [];
  const resolve = async () => answers.shift() ?? [];
  const mayConnect = (address: string) => {
    looked.push(address);
    return address === '127.0.0.1';
  };
  expect(await failureOf(ask(server.url('/plain'), { resolve, mayConnect }))).toBe('answered 200');
  expect(looked).toEqual(['127.0.0.1']);
});

test('a certificate of another name is refused', async () => {
  const other = server.url('/plain').replace(DOCUMENT_HOST, 'other.example');
  expect(await failureOf(ask(other))).toBe('unreachable');
});

test('a certificate that nobody vouches for is refused', async () => {
  const { resolve, mayConnect } = server.reach;
  expect(await failureOf(fetchUntrusted(server.url('/plain'), {}, LIMITS, { resolve, mayConnect }))).toBe(
    'unreachable',
  );
});

test('a redirect is handed back, not followed', async () => {
  server.answer('/moved', () => Response.redirect(server.url('/plain'), 302));
  const asked = server.asked.length;
  expect(await failureOf(ask(server.url('/moved')))).toBe('answered 302');
  expect(server.asked.slice(asked)).toEqual(['/moved']);
});

test('more than the limit is cut off, unpacked too', async () => {
  server.answer('/large', () => new Response('x'.repeat(5_121)));
  server.answer(
    '/bomb',
    () => new Response(Bun.gzipSync(Buffer.alloc(10_000_000)), { headers: { 'content-encoding': 'gzip' } }),
  );
  expect(await failureOf(ask(server.url('/large')))).toBe('too_large');
  expect(await failureOf(ask(server.url('/bomb')))).toBe('too_large');
});

test('a server that never answers, and a resolver that never does, have so much time', async () => {
  const reached = Promise.withResolvers<void>();
  server.answer('/silent', () => {
    reached.resolve();
    return new Promise<Response>(() => {});
  });
  const clock = new ManualClock();
  const silent = failureOf(fetchUntrusted(server.url('/silent'), {}, { ...LIMITS, clock }, server.reach));
  await reached.promise;
  await clock.advance(5_000);
  expect(await silent).toBe('timeout');
  const never = () => new Promise<string[]>(() => {});
  const reach = { ...server.reach, resolve: never };
  const stuck = failureOf(fetchUntrusted(server.url('/plain'), {}, { ...LIMITS, clock }, reach));
  await clock.advance(5_000);
  expect(await stuck).toBe('timeout');
});
