import { describe, expect, test } from 'bun:test';
import { requestContext } from '../../../src/http/request-context.ts';
import { parseRange } from '../../../src/lib/ip-address.ts';
import { newRoutes, SERVED_HOST, temporaryServer } from '../../support/http-server.ts';
import { rawHead, rawHttp } from '../../support/raw-http.ts';

const HOST = `Host: ${SERVED_HOST}`;
const LOOPBACK = [parseRange('127.0.0.0/8')].filter((range) => range !== undefined);

/** Tells what the server made of a request; `check` is a route for proxies. */
function serve(trustedProxies: typeof LOOPBACK) {
  const seen = (request: Request) => {
    const { address, peerTrusted, userAgent } = requestContext(request);
    return Response.json({ address, peerTrusted, userAgent });
  };
  return temporaryServer((router) => router.use(newRoutes().get('/seen', ({ request }) => seen(request))), {
    trustedProxies,
    nativeRoutes: { '/check': seen },
  });
}

describe('forwarded headers', () => {
  const FORGED = [
    'X-Forwarded-For: 198.51.100.7',
    'X-Forwarded-Host: evil.example',
    'X-Forwarded-Proto: http',
    'Forwarded: for=198.51.100.7;host=evil.example',
    'X-Real-IP: 198.51.100.7',
  ];

  test('of an untrusted peer are not believed', async () => {
    await using server = serve([]);
    for (const path of ['/seen', '/check']) {
      const answer = await rawHttp(server.port, rawHead(`GET ${path} HTTP/1.1`, HOST, ...FORGED));
      expect(JSON.parse(answer.body)).toEqual({ address: '127.0.0.1', peerTrusted: false });
    }
  });

  test('of a trusted peer tell the client, and nothing else', async () => {
    await using server = serve(LOOPBACK);
    for (const path of ['/seen', '/check']) {
      const answer = await rawHttp(server.port, rawHead(`GET ${path} HTTP/1.1`, HOST, ...FORGED));
      expect(JSON.parse(answer.body)).toEqual({ address: '198.51.100.7', peerTrusted: true });
    }
    const elsewhere = await rawHttp(
      server.port,
      rawHead('GET /seen HTTP/1.1', 'Host: evil.example', `X-Forwarded-Host: ${SERVED_HOST}`),
    );
    expect(elsewhere.status).toBe(421);
  });

  test('in several lines are one list', async () => {
    await using server = serve(LOOPBACK);
    const lines = ['X-Forwarded-For: 1.1.1.1', 'X-Forwarded-For: 198.51.100.7, 127.0.0.9'];
    const answer = await rawHttp(server.port, rawHead('GET /seen HTTP/1.1', HOST, ...lines));
    expect(JSON.parse(answer.body)).toMatchObject({ address: '198.51.100.7' });
  });

  test('stand in the request log as the client, not as they came', async () => {
    await using server = serve(LOOPBACK);
    await rawHttp(
      server.port,
      rawHead('GET /seen?code=hunter2 HTTP/1.1', HOST, 'X-Forwarded-For: evil"\\, 198.51.100.7'),
    );
    expect(server.log.lines).toMatchObject([
      { message: 'request', fields: { address: '198.51.100.7', route: '/seen', status: 200 } },
    ]);
    expect(JSON.stringify(server.log.lines)).not.toContain('hunter2');
  });
});

describe('a route for proxies', () => {
  test('takes any Host from a trusted peer', async () => {
    await using server = serve(LOOPBACK);
    for (const host of ['app.home', 'x', '']) {
      expect((await rawHttp(server.port, rawHead('GET /check HTTP/1.1', `Host: ${host}`))).status).toBe(200);
    }
  });

  test('takes only served Hosts from anybody else', async () => {
    await using server = serve([]);
    const statusFor = async (host: string) =>
      (await rawHttp(server.port, rawHead('GET /check HTTP/1.1', `Host: ${host}`))).status;
    expect(await statusFor(SERVED_HOST)).toBe(200);
    expect(await statusFor('app.home')).toBe(421);
    expect(await statusFor('x')).toBe(400);
  });

  test('is counted by its pattern', async () => {
    await using server = serve(LOOPBACK);
    for (let i = 0; i < 3; i++) await rawHttp(server.port, rawHead('GET /check?x=1 HTTP/1.1', HOST));
    expect(server.metrics.render()).toContain(
      'postern_http_requests_total{route="/check",method="GET",status="200"} 3',
    );
  });

  test('that throws, at once or later, answers like every other', async () => {
    const bug = () => {
      throw new Error('hunter2');
    };
    const late = async (): Promise<Response> => bug();
    await using server = temporaryServer(() => {}, { nativeRoutes: { '/bug': bug, '/late': late } });
    for (const path of ['/bug', '/late']) {
      const answer = await rawHttp(server.port, rawHead(`GET ${path} HTTP/1.1`, HOST));
      expect(answer.status).toBe(500);
      expect(answer.text).not.toContain('hunter2');
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    }
    expect(server.log.lines.filter(({ level }) => level === 'error')).toHaveLength(2);
  });
});
