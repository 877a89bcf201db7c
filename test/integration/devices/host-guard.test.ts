import { describe, expect, test } from 'bun:test';
import {
  APP,
  atTheirDevice,
  BASE,
  type DeviceHosts,
  PI_HOST,
  PI_URL,
  type Told,
  temporaryDeviceHosts,
} from '../../support/device-hosts.ts';
import { problem } from '../../support/host-check.ts';
import { rawHead, rawHttp } from '../../support/raw-http.ts';

type Init = Omit<RequestInit, 'headers'> & { headers?: Record<string, string> };

/** Ada at her device, and what the browser holds for it. */
async function atPi(options: Parameters<typeof temporaryDeviceHosts>[0] = {}) {
  const hosts = await temporaryDeviceHosts(options);
  const there = await atTheirDevice(hosts);
  const cookie = there.browser.cookies.header(new URL(PI_URL));
  const ask = (path: string, init: Init = {}) =>
    send(hosts, path, { ...init, headers: { cookie, ...init.headers } });
  return { ...there, hosts, cookie, ask, [Symbol.asyncDispose]: () => hosts[Symbol.asyncDispose]() };
}

function send({ port }: DeviceHosts, path: string, init: Init) {
  return fetch(`http://127.0.0.1:${port}${path}`, {
    redirect: 'manual',
    ...init,
    headers: { host: PI_HOST, ...init.headers },
  });
}

const behind = ({ headers }: Response) => headers.get('x-behind');

describe('every path of a device’s host is the device’s', () => {
  test.each([
    '/',
    '/healthz',
    '/readyz',
    '/mcp/whoami',
    '/oauth/token',
    '/oauth/authorize',
    '/forward-auth',
    '/forward-auth/nginx',
    '/host-ticket',
    '/api/v1/me',
    '/sign-in',
    '/openapi.json',
    '/d/pi/web/',
    '/assets/x.css',
    '/.well-known/oauth-authorization-server',
    '/.posternish',
    '/x/.postern/start',
    '/%2epostern/start',
    '/.POSTERN/start',
    '//.postern/start',
    '/.postern%2fstart',
    '/.postern/../page',
    '/%',
    '/%ff',
    '/a%00b',
  ])('%s', async (path) => {
    await using it = await atPi();
    const head = rawHead(`GET ${path} HTTP/1.1`, `Host: ${PI_HOST}`, `Cookie: ${it.cookie}`);
    const { status, headers } = await rawHttp(it.hosts.port, head);
    expect([status, headers.get('x-behind')]).toEqual([200, 'device']);
  });

  test('but for what stands below /.postern/', async () => {
    await using it = await atPi();
    for (const path of ['/.postern', '/.postern/', '/.postern/x', '/x/../.postern/x']) {
      const response = await it.ask(path);
      expect([path, response.status, behind(response)]).toEqual([path, 404, null]);
    }
    const stylesheet = /\/\.postern\/assets\/postern\.\w+\.css/.exec(
      await (await it.ask('/.postern/guest', { headers: { accept: 'text/html' } })).text(),
    );
    expect((await it.ask(String(stylesheet?.[0]))).headers.get('content-type')).toContain('text/css');
  });

  test('and nothing of it is ours: not for a stranger either', async () => {
    await using it = await atPi();
    for (const path of [
      '/healthz',
      '/mcp/whoami',
      '/oauth/token',
      '/d/pi/web/',
      '/forward-auth',
      '/api/v1/me',
    ]) {
      const response = await send(it.hosts, path, {});
      expect([path, ...(await problem(response))]).toEqual([path, 401, 'not_signed_in']);
    }
  });

  test.each(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'])(
    'with %s',
    async (method) => {
      await using it = await atPi();
      const response = await it.ask('/x', { method, headers: { origin: PI_URL } });
      expect([response.status, behind(response)]).toEqual([200, 'device']);
    },
  );

  test.each(['CONNECT', 'TRACE'])('and %s is nobody’s', async (method) => {
    await using it = await atPi();
    const target = method === 'CONNECT' ? `${PI_HOST}:443` : '/x';
    const head = rawHead(`${method} ${target} HTTP/1.1`, `Host: ${PI_HOST}`, `Cookie: ${it.cookie}`);
    const { status, text } = await rawHttp(it.hosts.port, head);
    expect([400, 405]).toContain(status);
    expect(text).not.toContain('x-behind');
  });
});

describe('a host of devices', () => {
  test.each([
    ['in capitals', PI_HOST.toUpperCase()],
    ['with the scheme’s own port', `${PI_HOST}:443`],
  ])('is known %s', async (_what, host) => {
    await using it = await atPi();
    expect(behind(await it.ask('/', { headers: { host } }))).toBe('device');
  });

  test.each([
    ['a device that is not there', `web--gone.${BASE}`, 421],
    ['no service', `pi.${BASE}`, 421],
    ['the base itself', BASE, 421],
    ['a closing dot', `${PI_HOST}.`, 421],
    ['another port', `${PI_HOST}:8443`, 421],
    ['the port of another scheme', `${PI_HOST}:80`, 421],
    ['a host below it', `x.${PI_HOST}`, 421],
    ['three hyphens', `web---pi.${BASE}`, 421],
    ['two partings', `web--pi--x.${BASE}`, 421],
    ['an encoded service', `xn--pi.${BASE}`, 421],
    ['a base that ends alike', `web--pi.x${BASE}`, 421],
    ['a host of somebody else', 'web--pi.devices.example.org', 421],
    ['a user', `ada@${PI_HOST}`, 400],
    ['a path', `${PI_HOST}/x`, 400],
    ['two hosts', `${PI_HOST}, auth.example.test`, 400],
    ['white space', `web--pi .${BASE}`, 400],
    ['nothing', '', 400],
  ])('is not: %s', async (_what, host, status) => {
    await using it = await atPi();
    for (const path of ['/', '/api/v1/me', '/mcp/whoami', '/.postern/start']) {
      const head = rawHead(`GET ${path} HTTP/1.1`, `Host: ${host}`, `Cookie: ${it.cookie}`);
      const answer = await rawHttp(it.hosts.port, head);
      expect([path, answer.status, answer.headers.get('x-behind')]).toEqual([path, status, null]);
    }
  });

  test('is not guessed where a request names none, or two', async () => {
    await using it = await atPi();
    const none = await rawHttp(it.hosts.port, 'GET / HTTP/1.0\r\n\r\n');
    const two = await rawHttp(
      it.hosts.port,
      rawHead('GET / HTTP/1.1', `Host: ${PI_HOST}`, 'Host: auth.example.test', `Cookie: ${it.cookie}`),
    );
    expect([none.status, two.status]).toEqual([400, 400]);
  });

  test('is what the Host header says, also beside a URL in the request line', async () => {
    await using it = await atPi();
    const head = rawHead(
      'GET http://auth.example.test/api/v1/me HTTP/1.1',
      `Host: ${PI_HOST}`,
      `Cookie: ${it.cookie}`,
    );
    expect((await rawHttp(it.hosts.port, head)).headers.get('x-behind')).toBe('device');
    const other = rawHead(`GET https://${PI_HOST}/api/v1/me HTTP/1.1`, 'Host: auth.example.test');
    expect((await rawHttp(it.hosts.port, other)).headers.get('x-behind')).toBe('postern');
  });

  test('is nothing that a trusted proxy may name in its own headers', async () => {
    await using it = await atPi({ trusted: '127.0.0.1/32' });
    const response = await send(it.hosts, '/', {
      headers: { host: 'auth.example.test', 'x-forwarded-host': PI_HOST, cookie: it.cookie },
    });
    expect(behind(response)).toBe('postern');
    const check = await send(it.hosts, '/forward-auth', {
      headers: {
        host: 'auth.example.test',
        cookie: it.cookie,
        'x-forwarded-host': PI_HOST,
        'x-forwarded-proto': 'https',
        'x-forwarded-method': 'GET',
        'x-forwarded-uri': '/',
      },
    });
    expect(await problem(check)).toEqual([403, 'unprotected_host']);
  });
});

describe('with the session of a device’s host', () => {
  test.each([
    ['a form', { method: 'POST' }, { origin: PI_URL }, 200],
    ['a form of an older browser', { method: 'POST' }, { 'sec-fetch-site': 'same-origin' }, 200],
    ['a form of another device', { method: 'POST' }, { origin: `https://web--lamp.${BASE}` }, 403],
    ['a form of another service', { method: 'POST' }, { origin: `https://ssh--pi.${BASE}` }, 403],
    ['a form of ours', { method: 'POST' }, { origin: 'https://auth.example.test' }, 403],
    ['a form of an app', { method: 'POST' }, { origin: `https://${APP}` }, 403],
    ['a form of a stranger', { method: 'POST' }, { origin: 'https://evil.example' }, 403],
    ['a form of nobody', { method: 'POST' }, { origin: 'null' }, 403],
    ['a form without a word of where it is from', { method: 'POST' }, {}, 403],
    ['a form over http', { method: 'POST' }, { origin: `http://${PI_HOST}` }, 403],
    ['a form of a host that ends alike', { method: 'POST' }, { origin: `https://x${PI_HOST}` }, 403],
    [
      'a script of its own',
      {},
      { 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' },
      200,
    ],
    [
      'an address that is typed',
      {},
      { 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' },
      200,
    ],
    [
      'a link on another device',
      {},
      { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' },
      200,
    ],
    [
      'a page that another device has fetched ahead',
      {},
      {
        'sec-fetch-site': 'same-site',
        'sec-fetch-mode': 'navigate',
        'sec-fetch-dest': 'document',
        'sec-purpose': 'prefetch;prerender',
      },
      403,
    ],
    [
      'a script of another device',
      {},
      { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' },
      403,
    ],
    [
      'an image on another device',
      {},
      { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' },
      403,
    ],
    [
      'a script from it on another device',
      {},
      { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'script' },
      403,
    ],
    [
      'a frame on another device',
      {},
      { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' },
      403,
    ],
    [
      'an object on another device',
      {},
      { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'object' },
      403,
    ],
    [
      'a frame on a stranger’s page',
      {},
      { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' },
      403,
    ],
    [
      'an event stream of another device',
      {},
      {
        'sec-fetch-site': 'same-site',
        'sec-fetch-mode': 'cors',
        'sec-fetch-dest': 'empty',
        accept: 'text/event-stream',
      },
      403,
    ],
    [
      'a WebSocket of its own',
      {},
      { upgrade: 'websocket', 'sec-websocket-version': '13', origin: PI_URL },
      200,
    ],
    [
      'a WebSocket of another device',
      {},
      { upgrade: 'websocket', 'sec-websocket-version': '13', origin: `https://web--lamp.${BASE}` },
      403,
    ],
    ['a WebSocket of a stranger', {}, { 'sec-websocket-key': 'x', origin: 'https://evil.example' }, 403],
    ['a WebSocket from nowhere', {}, { upgrade: 'WebSocket', 'sec-websocket-version': '13' }, 403],
  ])('%s', async (_what, init, headers: Record<string, string>, status) => {
    await using it = await atPi();
    const response = await it.ask('/x', { ...init, headers });
    expect(response.status).toBe(status);
    if (status !== 403) return;
    expect(behind(response)).toBeNull();
    expect(await it.hosts.refusals()).toEqual([
      { action: 'device.denied', reason: 'cross_origin', host: PI_HOST, actorUserId: it.userId },
    ]);
  });

  test.each([
    ['HTTP/2', { upgrade: 'h2c', 'http2-settings': 'AAMAAABkAAQAAP__' }],
    ['HTTP/2, without its upgrade', { 'http2-settings': 'AAMAAABkAAQAAP__' }],
    ['one of several protocols', { upgrade: 'websocket, h2c' }],
    ['TLS', { upgrade: 'TLS/1.0' }],
  ])('no connection changes to %s', async (_what, headers: Record<string, string>) => {
    await using it = await atPi();
    expect(await problem(await it.ask('/', { headers: { origin: PI_URL, ...headers } }))).toEqual([
      400,
      'foreign_upgrade',
    ]);
  });

  test('no header takes the name of an identity', async () => {
    await using it = await atPi();
    expect(await problem(await it.ask('/', { headers: { remote_user: 'root' } }))).toEqual([
      400,
      'disguised_header',
    ]);
  });

  test('it counts only once, and only in its own form', async () => {
    await using it = await atPi();
    const twice = await it.ask('/', { headers: { cookie: `${it.cookie}; ${it.cookie}` } });
    expect(await problem(twice)).toEqual([400, 'bad_cookie']);
    const [name = ''] = it.cookie.split('=');
    const odd = await it.ask('/', { headers: { cookie: `${name}="x"` } });
    expect([400, 401]).toContain(odd.status);
  });

  test('it is nothing elsewhere: not as ours, not at an app, not at another device', async () => {
    await using it = await atPi({ trusted: '127.0.0.1/32' });
    const lamp = await it.hosts.devices.add(it.userId, 'lamp');
    const token = it.cookie.slice(it.cookie.indexOf('=') + 1).split(';')[0];
    const elsewhere = await send(it.hosts, '/', {
      headers: { host: `web--lamp.${BASE}`, cookie: `__Host-postern-${lamp.id}=${token}` },
    });
    expect(elsewhere.status).toBe(401);
    const atApp = await send(it.hosts, '/forward-auth', {
      headers: {
        host: APP,
        cookie: `__Host-postern=${token}`,
        'x-forwarded-host': APP,
        'x-forwarded-proto': 'https',
        'x-forwarded-method': 'GET',
        'x-forwarded-uri': '/',
      },
    });
    expect(atApp.status).toBe(401);
  });
});

describe('with a personal token', () => {
  test('that names device and service, programs come in, from whatever origin', async () => {
    await using it = await atPi();
    const { token } = await it.hosts.openToken(it.parent.session.id, it.device.id);
    const response = await send(it.hosts, '/x', {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, origin: 'https://elsewhere.example' },
    });
    expect((await response.json()) as Told).toMatchObject({ person: 'ada', method: 'POST' });
  });

  test('that names another service or device, nobody does; the cookie beside it does not count', async () => {
    await using it = await atPi();
    const lamp = await it.hosts.devices.add(it.userId, 'lamp');
    for (const [deviceId, service] of [
      [it.device.id, 'ssh'],
      [lamp.id, 'web'],
    ] as const) {
      const { token } = await it.hosts.openToken(it.parent.session.id, deviceId, service);
      const response = await it.ask('/', { headers: { authorization: `Bearer ${token}` } });
      expect(response.status).toBe(401);
    }
  });

  test('of somebody who may not any more, nobody does', async () => {
    await using it = await atPi();
    const eve = await it.hosts.addUser('eve');
    const { session } = await it.hosts.signIn(eve);
    const { token } = await it.hosts.openToken(session.id, it.device.id);
    const response = await send(it.hosts, '/', { headers: { authorization: `Bearer ${token}` } });
    expect(await problem(response)).toEqual([403, 'not_allowed']);
  });

  test('credentials of the device’s own are the device’s business, and open nothing here', async () => {
    await using it = await atPi();
    expect((await send(it.hosts, '/', { headers: { authorization: 'Bearer its-own' } })).status).toBe(401);
    expect((await it.ask('/', { headers: { authorization: 'Basic dXNlcjpwYXNz' } })).status).toBe(200);
  });
});
