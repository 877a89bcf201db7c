import { Database } from 'bun:sqlite';
import { afterAll, describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { z } from 'zod';
import { readForm } from '../../../src/http/form.ts';
import { AppError } from '../../../src/lib/app-error.ts';
import { newRoutes, SERVED_HOST, temporaryServer } from '../../support/http-server.ts';
import { rawHead, rawHttp } from '../../support/raw-http.ts';

const HOST = `Host: ${SERVED_HOST}`;
const password = z.object({ password: z.string().max(3) });

const server = temporaryServer((router) =>
  router.use(
    newRoutes()
      .get('/api/bug', () => {
        throw new Error('the key is hunter2');
      })
      .get('/bug', () => {
        throw new Error('the key is hunter2');
      })
      .get('/api/odd', () => {
        // oxlint-disable-next-line no-throw-literal
        throw 'a string';
      })
      .get('/api/conflict', () => {
        throw new AppError('conflict', 'taken', 'This is taken.');
      })
      .get('/api/outage', () => {
        throw new AppError('unavailable', 'store_unavailable', 'Not now.', { retryAfterSeconds: 7 });
      })
      .get('/api/read-only', () => {
        using database = new Database(':memory:');
        database.run('PRAGMA query_only = ON');
        database.run('CREATE TABLE hunter2 (a)');
      })
      .get('/api/validated/:id', ({ params }) => params, { params: z.object({ id: z.string().max(3) }) })
      .get('/api/query', ({ query }) => query, { query: password })
      .post('/api/body', ({ body }) => body, { body: password })
      .post('/form', async ({ request }) => {
        await readForm(request, 1_000);
        throw new AppError('unprocessable', 'too_weak', 'Choose another password.');
      }),
  ),
);
afterAll(() => server[Symbol.asyncDispose]());

const get = (path: string, ...headers: string[]) =>
  rawHttp(server.port, rawHead(`GET ${path} HTTP/1.1`, HOST, ...headers));

describe('an error', () => {
  test('for a program is a problem with the id of the request', async () => {
    const answer = await get('/api/conflict');
    expect(answer.status).toBe(409);
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    const problem = JSON.parse(answer.body);
    expect(problem).toMatchObject({
      title: 'Conflict',
      code: 'taken',
      detail: 'This is taken.',
      status: 409,
    });
    expect(problem.request_id).toBe(answer.headers.get('x-request-id'));
  });

  test('for a person is a page', async () => {
    const answer = await get('/nowhere', 'Accept: text/html,*/*;q=0.8');
    expect(answer.status).toBe(404);
    expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(answer.body).toContain(answer.headers.get('x-request-id') ?? 'an id');
  });

  test('at a path for programs is a problem for browsers too', async () => {
    const answer = await get('/api/nowhere', 'Accept: text/html');
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
  });

  test.each(['/api/bug', '/bug', '/api/odd'])(
    'of ours (%s) tells nothing and is logged with its id',
    async (path) => {
      server.log.lines.length = 0;
      const answer = await get(path, 'Accept: text/html');
      expect(answer.status).toBe(500);
      expect(answer.text).not.toMatch(/hunter2|string/);
      const failure = server.log.lines.find(({ level }) => level === 'error');
      expect(failure?.fields['request_id']).toBe(answer.headers.get('x-request-id'));
    },
  );

  test('that will pass says when to come back', async () => {
    const outage = await get('/api/outage');
    expect(outage.status).toBe(503);
    expect(outage.headers.get('retry-after')).toBe('7');
    const readOnly = await get('/api/read-only');
    expect(readOnly.status).toBe(503);
    expect(readOnly.text).not.toContain('hunter2');
  });

  test('leaves with the headers that every answer has', async () => {
    for (const answer of [
      await get('/api/conflict'),
      await get('/nowhere', 'Accept: text/html'),
      await get('/api/x', 'Host: b'),
    ]) {
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
      expect(answer.headers.get('cache-control')).toBe('no-store');
      expect(answer.headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
      expect(answer.headers.get('referrer-policy')).toBe('same-origin');
    }
  });
});

describe('no error repeats what was sent in', () => {
  /** Long enough that it stands in no sentence of ours by chance. */
  const word = fc.string({ unit: fc.constantFrom('q', 'x', 'Z', '7'), minLength: 12, maxLength: 24 });
  const post = (path: string, type: string, body: string) => {
    const head = rawHead(
      `POST ${path} HTTP/1.1`,
      HOST,
      `Content-Type: ${type}`,
      `Content-Length: ${body.length}`,
      'Accept: text/html',
    );
    return rawHttp(server.port, head + body);
  };

  test.each<[string, (secret: string) => ReturnType<typeof rawHttp>]>([
    ['a path', (secret) => get(`/${secret}`, 'Accept: text/html')],
    ['a path for programs', (secret) => get(`/api/${secret}?${secret}`)],
    ['a malformed path', (secret) => get(`/${secret}%zz`)],
    ['a parameter', (secret) => get(`/api/validated/${secret}`)],
    ['a query', (secret) => get(`/api/query?password=${secret}&${secret}=1`)],
    ['a host', (secret) => rawHttp(server.port, rawHead('GET / HTTP/1.1', `Host: ${secret}.example`))],
    [
      'a JSON body',
      (secret) => post('/api/body', 'application/json', JSON.stringify({ password: secret, [secret]: 1 })),
    ],
    ['a broken body', (secret) => post('/api/body', 'application/json', `{"${secret}`)],
    [
      'a form',
      (secret) => post('/form', 'application/x-www-form-urlencoded', `password=${secret}&${secret}=1`),
    ],
    [
      'a doubled field',
      (secret) => post('/form', 'application/x-www-form-urlencoded', `${secret}=1&${secret}=2`),
    ],
    ['a content type', (secret) => post('/form', `text/${secret}`, secret)],
    [
      'a header',
      (secret) =>
        get(
          '/api/bug',
          `${secret}: ${secret}`,
          `Cookie: ${secret}=${secret}`,
          `Authorization: Bearer ${secret}`,
        ),
    ],
    ['a method', (secret) => rawHttp(server.port, rawHead(`${secret} /bug HTTP/1.1`, HOST))],
  ])('%s', async (_what, send) => {
    await fc.assert(
      fc.asyncProperty(word, async (secret) => {
        server.log.lines.length = 0;
        const answer = await send(secret);
        expect(answer.status === 0 || answer.status >= 400).toBe(true);
        expect(answer.text).not.toContain(secret);
        expect(JSON.stringify(server.log.lines)).not.toContain(secret);
        expect(server.metrics.render()).not.toContain(secret);
      }),
      { numRuns: 20 },
    );
  });
});
