import { afterAll, describe, expect, test } from 'bun:test';
import { STYLESHEET } from '../../../src/http/assets.ts';
import { html } from '../../../src/http/html.ts';
import { parseOrigin } from '../../../src/http/origin.ts';
import { pageResponse } from '../../../src/http/page.ts';
import { newRoutes, SERVED_HOST, temporaryServer } from '../../support/http-server.ts';
import { rawHead, rawHttp } from '../../support/raw-http.ts';

const HOST = `Host: ${SERVED_HOST}`;
const SPA = 'https://app.example.org';

const server = temporaryServer(
  (router) =>
    router.use(
      newRoutes()
        .get('/page', () => pageResponse({ title: 'A', body: html`<p>a</p>` }))
        .get('/api/v1/things', () => Response.json([]))
        .post('/api/v1/things', () => Response.json({}))
        .get('/api/v10', () => Response.json([])),
    ),
  { corsOrigins: [SPA], isServedHost: (host) => host === SERVED_HOST || host === 'app.home' },
);
afterAll(() => server[Symbol.asyncDispose]());

const send = (requestLine: string, ...headers: string[]) =>
  rawHttp(server.port, rawHead(requestLine, ...headers));

describe('every answer', () => {
  test('is guarded', async () => {
    for (const path of ['/page', '/api/v1/things', STYLESHEET.path]) {
      const { headers } = await send(`GET ${path} HTTP/1.1`, HOST);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('x-frame-options')).toBe('DENY');
      expect(headers.get('cross-origin-opener-policy')).toBe('same-origin');
      expect(headers.get('content-security-policy')).toMatch(/^default-src 'none';.*frame-ancestors 'none'/);
      expect(headers.get('strict-transport-security')).toBe('max-age=31536000');
      expect(headers.get('x-request-id')).toStartWith('req_');
      expect(headers.get('server')).toBeNull();
    }
  });

  test('is kept by nobody, but for assets', async () => {
    expect((await send('GET /page HTTP/1.1', HOST)).headers.get('cache-control')).toBe('no-store');
    expect((await send('GET /api/v1/things HTTP/1.1', HOST)).headers.get('cache-control')).toBe('no-store');
    const asset = await send(`GET ${STYLESHEET.path} HTTP/1.1`, HOST);
    expect(asset.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    expect(asset.body).toBe(STYLESHEET.text);
  });

  test('asks for https on our own host alone', async () => {
    const elsewhere = await send(`GET /.postern${STYLESHEET.path} HTTP/1.1`, 'Host: app.home');
    expect(elsewhere.status).toBe(200);
    expect(elsewhere.headers.get('strict-transport-security')).toBeNull();
    await using plain = temporaryServer(() => {}, { origin: parseOrigin('http://localhost:7400') });
    const answer = await rawHttp(
      plain.port,
      rawHead(`GET ${STYLESHEET.path} HTTP/1.1`, 'Host: localhost:7400'),
    );
    expect(answer.status).toBe(200);
    expect(answer.headers.get('strict-transport-security')).toBeNull();
  });
});

describe('a page of another origin', () => {
  const preflight = (origin: string, path = '/api/v1/things') =>
    send(
      `OPTIONS ${path} HTTP/1.1`,
      HOST,
      `Origin: ${origin}`,
      'Access-Control-Request-Method: POST',
      'Access-Control-Request-Headers: authorization',
    );

  test('that is allowed may call the API', async () => {
    const asked = await preflight(SPA);
    expect(asked.status).toBe(204);
    expect(asked.headers.get('access-control-allow-origin')).toBe(SPA);
    expect(asked.headers.get('access-control-allow-methods')?.split(', ').sort()).toEqual([
      'GET',
      'HEAD',
      'POST',
    ]);
    expect(asked.headers.get('access-control-allow-headers')).toContain('authorization');
    const answer = await send('GET /api/v1/things HTTP/1.1', HOST, `Origin: ${SPA}`);
    expect(answer.headers.get('access-control-allow-origin')).toBe(SPA);
    expect(answer.headers.get('access-control-allow-credentials')).toBe('true');
    expect(answer.headers.get('vary')).toBe('Origin');
  });

  test('that is allowed may read errors', async () => {
    const answer = await send('GET /api/v1/nothing HTTP/1.1', HOST, `Origin: ${SPA}`);
    expect(answer.status).toBe(404);
    expect(answer.headers.get('access-control-allow-origin')).toBe(SPA);
  });

  test.each([
    'https://evil.example',
    'https://app.example.org.evil.example',
    'http://app.example.org',
    `${SPA}:8443`,
    'null',
    '*',
  ])('reads nothing: %s', async (origin) => {
    expect((await preflight(origin)).status).toBe(403);
    const answer = await send('GET /api/v1/things HTTP/1.1', HOST, `Origin: ${origin}`);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('access-control-allow-origin')).toBeNull();
    expect(answer.headers.get('vary')).toBe('Origin');
  });

  test('reads nothing outside of the API', async () => {
    for (const path of ['/page', '/api/v10']) {
      const answer = await send(`GET ${path} HTTP/1.1`, HOST, `Origin: ${SPA}`);
      expect(answer.headers.get('access-control-allow-origin')).toBeNull();
    }
    expect((await preflight(SPA, '/page')).status).toBe(405);
    const onProtectedHost = await send('GET /api/v1/things HTTP/1.1', 'Host: app.home', `Origin: ${SPA}`);
    expect(onProtectedHost.status).toBe(421);
    expect(onProtectedHost.headers.get('access-control-allow-origin')).toBeNull();
  });
});

test('requests are counted by pattern, method and status', async () => {
  await using counted = temporaryServer((router) =>
    router.use(newRoutes().get('/things/:id', () => new Response('a'))),
  );
  for (const id of ['a', 'b']) await rawHttp(counted.port, rawHead(`GET /things/${id}?q=1 HTTP/1.1`, HOST));
  await rawHttp(counted.port, rawHead('HEAD /things/c HTTP/1.1', HOST));
  await rawHttp(counted.port, rawHead('PROPFIND /things/c HTTP/1.1', HOST));
  await rawHttp(counted.port, rawHead('GET /elsewhere HTTP/1.1', HOST));
  const text = counted.metrics.render();
  expect(text).toContain('postern_http_requests_total{route="/things/:id",method="GET",status="200"} 2');
  expect(text).toContain('postern_http_requests_total{route="/things/:id",method="HEAD",status="200"} 1');
  expect(text).toContain('postern_http_requests_total{route="(unmatched)",method="other",status="405"} 1');
  expect(text).toContain('postern_http_requests_total{route="(unmatched)",method="GET",status="404"} 1');
  expect(text).toContain('postern_http_request_seconds_count{route="/things/:id"} 3');
});
