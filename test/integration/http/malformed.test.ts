import { afterAll, describe, expect, test } from 'bun:test';
import { newRoutes, SERVED_HOST, temporaryServer } from '../../support/http-server.ts';
import { rawHead, rawHttp } from '../../support/raw-http.ts';

const HOST = `Host: ${SERVED_HOST}`;
const reached: string[] = [];

const server = temporaryServer(
  (router) =>
    router.use(
      newRoutes()
        .get('/page', ({ request }) => {
          reached.push(request.url);
          return new Response('page');
        })
        .get('/items/:id', ({ params: { id } }) => Response.json({ id }))
        .get('/.postern/finish', () => new Response('finished'))
        .post('/page', () => new Response('posted')),
    ),
  {
    isServedHost: (host) => host === SERVED_HOST || host === 'app.home',
    probeRoutes: { '/healthz': () => new Response('healthy') },
  },
);
afterAll(() => server[Symbol.asyncDispose]());

const send = (requestLine: string, ...headers: string[]) =>
  rawHttp(server.port, rawHead(requestLine, ...headers));

describe('the Host of a request', () => {
  test('that is served is answered', async () => {
    for (const host of [SERVED_HOST, SERVED_HOST.toUpperCase(), `${SERVED_HOST}:443`]) {
      expect((await send('GET /page HTTP/1.1', `Host: ${host}`)).body).toBe('page');
    }
  });

  test.each([
    ['none', [], 400],
    ['empty', ['Host:'], 400],
    ['two', [HOST, HOST], 400],
    ['two that differ', [HOST, 'Host: evil.example'], 400],
    ['a list', [`Host: ${SERVED_HOST}, evil.example`], 400],
    ['one character', ['Host: a'], 400],
    ['three characters', ['Host: abc'], 400],
    ['with a space', ['Host: a b.example'], 400],
    ['with a user', [`Host: evil@${SERVED_HOST}`], 400],
    ['with a path', [`Host: ${SERVED_HOST}/page`], 400],
    ['with a bad port', [`Host: ${SERVED_HOST}:abc`], 400],
    ['unknown', ['Host: evil.example'], 421],
    ['ours as a suffix', [`Host: evil${SERVED_HOST}`], 421],
    ['ours as a prefix', [`Host: ${SERVED_HOST}.evil.example`], 421],
    ['ours with a dot', [`Host: ${SERVED_HOST}.`], 421],
    ['ours with another port', [`Host: ${SERVED_HOST}:8443`], 421],
    ['the address', ['Host: 127.0.0.1'], 421],
  ])('%s is refused', async (_what, hosts, status) => {
    reached.length = 0;
    const answer = await send('GET /page HTTP/1.1', ...hosts);
    expect(answer.status).toBe(status);
    expect(reached).toEqual([]);
  });

  test('cannot hide a part of the path', async () => {
    expect((await send('GET /x/page HTTP/1.1', 'Host: ab')).status).toBe(400);
    expect((await send('GET /x/page HTTP/1.1', HOST)).status).toBe(404);
  });

  test('counts, and not the authority of an absolute target', async () => {
    expect((await send(`GET http://${SERVED_HOST}/page HTTP/1.1`, 'Host: evil.example')).status).toBe(421);
    reached.length = 0;
    await send('GET http://evil.example/page HTTP/1.1', HOST);
    expect(reached.every((url) => url.includes(SERVED_HOST))).toBe(true);
  });

  test('of a protected application leads to its prefix alone', async () => {
    const app = (path: string) => send(`GET ${path} HTTP/1.1`, 'Host: app.home');
    expect((await app('/.postern/finish')).body).toBe('finished');
    for (const path of ['/page', '/', '/.posterns/finish', '/.postern/../page']) {
      expect((await app(path)).status).toBe(421);
    }
  });

  test('is what it likes for a probe', async () => {
    for (const hosts of [['Host: x'], ['Host: evil.example'], [HOST, HOST]]) {
      expect((await send('GET /healthz HTTP/1.1', ...hosts)).body).toBe('healthy');
    }
    expect((await rawHttp(server.port, 'GET /healthz HTTP/1.0\r\n\r\n')).body).toBe('healthy');
  });
});

describe('a method', () => {
  test.each(['CONNECT', 'TRACE'])('%s is refused everywhere', async (method) => {
    for (const target of ['/page', `${SERVED_HOST}:443`, '/nowhere']) {
      if (method === 'TRACE' && !target.startsWith('/')) continue;
      expect((await send(`${method} ${target} HTTP/1.1`, HOST)).status).toBe(405);
    }
  });

  test('that a path does not take gets 405 and what it takes', async () => {
    for (const method of ['PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'PURGE', 'SEARCH']) {
      const answer = await send(`${method} /page HTTP/1.1`, HOST, 'Content-Length: 0');
      expect(answer.status).toBe(405);
      expect(answer.headers.get('allow')?.split(', ').sort()).toEqual(['GET', 'HEAD', 'POST']);
    }
    const probe = await send('POST /healthz HTTP/1.1', HOST, 'Content-Length: 0');
    expect(probe.status).toBe(405);
    expect(probe.headers.get('allow')).toBe('GET, HEAD');
  });

  test('that nobody has heard of is no way in', async () => {
    reached.length = 0;
    for (const method of ['BREW', 'get', 'GETS', 'G'.repeat(100)]) {
      // The runtime hangs up on some without a word.
      expect([0, 400, 405, 501]).toContain((await send(`${method} /page HTTP/1.1`, HOST)).status);
    }
    expect(reached).toEqual([]);
  });

  test('of an unknown path gets 404', async () => {
    for (const method of ['GET', 'POST', 'DELETE']) {
      expect((await send(`${method} /nowhere HTTP/1.1`, HOST, 'Content-Length: 0')).status).toBe(404);
    }
  });

  test('HEAD is answered like GET, without a body', async () => {
    const answer = await send('HEAD /page HTTP/1.1', HOST);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-length')).toBe('4');
    expect(answer.body).toBe('');
  });
});

describe('a path', () => {
  test.each(['/page/', '/Page', '//page', '/%70age', '/page%00', '/page;x'])(
    '%s is not /page',
    async (path) => {
      expect((await send(`GET ${path} HTTP/1.1`, HOST)).status).toBe(404);
    },
  );

  test.each(['/items/%', '/items/%zz', '/items/%ff', '/%c0%ae/page'])('%s is malformed', async (path) => {
    expect((await send(`GET ${path} HTTP/1.1`, HOST)).status).toBe(400);
  });

  test('comes to its handler decoded once', async () => {
    expect((await send('GET /items/a%252fb HTTP/1.1', HOST)).body).toBe('{"id":"a%2fb"}');
  });
});

describe('bytes that are no request', () => {
  test.each([
    ['no version', 'GET /page\r\n\r\n', [400, 505]],
    ['another version', 'GET /page HTTP/3.0\r\nHost: a\r\n\r\n', [400, 505]],
    ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', [400, 0]],
    ['no slash', rawHead('GET page HTTP/1.1', HOST), [400]],
    ['a space before the colon', rawHead('GET /page HTTP/1.1', 'Host : a.example'), [400]],
    ['a folded header', rawHead('GET /page HTTP/1.1', HOST, 'X: a', ' b'), [400]],
    ['a zero byte', rawHead('GET /page HTTP/1.1', HOST, 'X: a\0b'), [400]],
    ['a bare CR', rawHead('GET /page HTTP/1.1', HOST, 'X: a\rb'), [400]],
    [
      'two lengths',
      `${rawHead('POST /page HTTP/1.1', HOST, 'Content-Length: 3', 'Content-Length: 5')}abcde`,
      [400],
    ],
    [
      'a length and chunks',
      `${rawHead('POST /page HTTP/1.1', HOST, 'Content-Length: 3', 'Transfer-Encoding: chunked')}0\r\n\r\n`,
      [400],
    ],
    ['a negative length', rawHead('POST /page HTTP/1.1', HOST, 'Content-Length: -1'), [400]],
    ['an unknown coding', rawHead('POST /page HTTP/1.1', HOST, 'Transfer-Encoding: gzip, x'), [400, 501]],
    ['a method with a slash', rawHead('G/T /page HTTP/1.1', HOST), [400]],
  ])('%s', async (_what, bytes, statuses) => {
    reached.length = 0;
    const answer = await rawHttp(server.port, bytes);
    expect(statuses).toContain(answer.status);
    expect(reached).toEqual([]);
  });

  test.each([
    ['a header of 20 KB', [`X: ${'a'.repeat(20_000)}`]],
    ['a cookie of 20 KB', [`Cookie: __Host-postern=${'a'.repeat(20_000)}`]],
    ['300 headers', Array.from({ length: 300 }, (_, index) => `X-${index}: a`)],
  ])('%s are refused with 431', async (_what, headers) => {
    expect((await send('GET /page HTTP/1.1', HOST, ...headers)).status).toBe(431);
  });

  test('do not end the server', async () => {
    expect((await send('GET /page HTTP/1.1', HOST)).body).toBe('page');
  });
});
