import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import type { Relay } from '../../../src/devices/guard-host.ts';
import type { Device } from '../../../src/devices/model.ts';
import { requestContext } from '../../../src/http/request-context.ts';
import { acceptSocket, isUpgrade, type ServerSocket } from '../../../src/http/web-socket.ts';
import type { UserId } from '../../../src/users/model.ts';
import { startCaddy } from '../../support/caddy.ts';
import { makeCertificate } from '../../support/certificate.ts';
import { openProfile, resolveTo, startChromium } from '../../support/chromium.ts';
import { temporaryDirectory } from '../../support/database.ts';
import { type DeviceHosts, temporaryDeviceHosts } from '../../support/device-hosts.ts';
import { MappedBrowser, type Mapping } from '../../support/mapped-browser.ts';
import { startNginx } from '../../support/nginx.ts';
import { openSocket } from '../../support/web-socket.ts';

/** The proxies of the guide for hosts of devices, with its own files. */

setDefaultTimeout(30_000);

const AUTH_URL = 'https://auth.example.org';
const PI_URL = 'https://web--pi.devices.example.org';

/** What is behind the tunnel: tells what it was asked, streams events, and talks over WebSockets. */
const relay: Relay<Device> = async (request, _reach, connection) => {
  const { pathname, search } = new URL(request.url);
  if (isUpgrade(request)) return acceptSocket(connection, request, talker());
  if (pathname === '/events')
    return new Response(events(), { headers: { 'content-type': 'text/event-stream' } });
  const bytes = request.body === null ? 0 : (await request.arrayBuffer()).byteLength;
  const { address } = requestContext(request);
  return Response.json({ method: request.method, target: pathname + search, bytes, address });
};

function talker() {
  let socket: ServerSocket | undefined;
  return {
    opened(opened: ServerSocket) {
      socket = opened;
      opened.sendText('hello');
    },
    message: (message: string | Uint8Array) => void socket?.sendText(`echo ${String(message)}`),
    closed: () => undefined,
  };
}

/** One event, and nothing more. */
function events(): ReadableStream<Uint8Array> {
  return new ReadableStream({ start: (controller) => controller.enqueue(Buffer.from('data: 1\n\n')) });
}

describe.each(['nginx', 'caddy'] as const)('hosts of devices behind %s', (name) => {
  const stack = new AsyncDisposableStack();
  let hosts: DeviceHosts;
  let mapping: Required<Mapping>;
  let browser: MappedBrowser;
  let ada: UserId;

  beforeAll(async () => {
    const directory = stack.use(temporaryDirectory()).path;
    hosts = stack.use(
      await temporaryDeviceHosts({
        origin: AUTH_URL,
        base: 'devices.example.org',
        trusted: '127.0.0.1/32',
        relay,
      }),
    );
    const certificate = await makeCertificate(directory, ['auth.example.org', '*.devices.example.org']);
    const proxy = stack.use(
      await (name === 'nginx' ? startNginx : startCaddy)({
        directory,
        certificate,
        posternPort: hosts.port,
        appPort: 9,
        notesPort: 9,
        sibling: { host: 'cam.example.org', port: 9 },
      }),
    );
    mapping = { port: proxy.port, ca: await Bun.file(certificate.cert).text() };
    ada = await hosts.addUser('ada');
    await hosts.devices.add(ada, 'pi');
    await hosts.devices.add(ada, 'lamp');
    const { token } = await hosts.signIn(ada);
    browser = new MappedBrowser(mapping);
    browser.cookies.store(new URL(AUTH_URL), [`__Host-postern=${token}; Path=/; Secure`]);
    await browser.visit(`${PI_URL}/`);
  });
  afterAll(() => stack.disposeAsync());

  const cookie = () => browser.cookies.header(new URL(PI_URL));

  test('are reached after sign-in, at the path that was asked for', async () => {
    const fresh = new MappedBrowser(mapping);
    const asked = await fresh.fetch(`${PI_URL}/a?b=/c`);
    expect(asked.headers.get('location')).toBe(`${PI_URL}/.postern/start?/a?b=/c`);
    const { text, url } = await browser.visit(`${PI_URL}/a%20b/%2F?x=1&y=%2F`);
    expect(url.href).toBe(`${PI_URL}/a%20b/%2F?x=1&y=%2F`);
    expect(JSON.parse(text)).toMatchObject({ target: '/a%20b/%2F?x=1&y=%2F' });
  });

  test('see the client, whatever it says of itself', async () => {
    const response = await browser.fetch(`${PI_URL}/`, { headers: { 'x-forwarded-for': '10.9.9.9' } });
    expect(await response.json()).toMatchObject({ address: '127.0.0.1' });
  });

  test('take uploads', async () => {
    const response = await browser.fetch(`${PI_URL}/upload`, {
      method: 'PUT',
      headers: { origin: PI_URL },
      body: Buffer.alloc(15_000, 'x'),
    });
    expect(await response.json()).toMatchObject({ method: 'PUT', bytes: 15_000 });
  });

  test('send events as they come', async () => {
    const response = await browser.fetch(`${PI_URL}/events`);
    const reader = response.body?.getReader();
    const first = await reader?.read();
    expect(Buffer.from(first?.value ?? []).toString()).toBe('data: 1\n\n');
    await reader?.cancel();
  });

  test('open WebSockets for their own pages alone', async () => {
    const socket = (headers: Record<string, string>) =>
      openSocket(mapping, new URL(`${PI_URL}/socket`), headers);
    expect(await socket({ cookie: cookie(), origin: PI_URL })).toEqual({
      opened: true,
      messages: ['hello', 'echo ping'],
    });
    expect(await socket({ cookie: cookie(), origin: 'https://web--lamp.devices.example.org' })).toEqual({
      opened: false,
      status: 403,
    });
    expect(await socket({ origin: PI_URL })).toEqual({ opened: false, status: 401 });
  });

  test('are Postern’s below /.postern/, and the device’s everywhere else', async () => {
    expect(
      (await browser.fetch(`${PI_URL}/.postern/guest`)).headers.get('content-security-policy'),
    ).toContain("default-src 'none'");
    for (const path of ['/healthz', '/api/v1/session', '/sign-in', '/mcp/whoami', '/forward-auth']) {
      expect(await (await browser.fetch(PI_URL + path)).json()).toMatchObject({ target: path });
    }
  });

  test('keep their sessions whatever a sibling’s script sets, and whatever it sends', async () => {
    const chromium = stack.use(await startChromium([resolveTo(mapping.port)]));
    await using tab = await openProfile(chromium);
    const { page, context } = tab;
    const { token: value } = await hosts.signIn(ada);
    await context.addCookies([
      { name: '__Host-postern', value, url: AUTH_URL, secure: true, httpOnly: true, sameSite: 'Lax' },
    ]);
    await page.goto(`${PI_URL}/`);
    const lampUrl = PI_URL.replace('pi', 'lamp');
    await page.goto(`${lampUrl}/`);
    const names = (await context.cookies()).map(({ name }) => name).filter((name) => name.includes('dev_'));
    expect(names).toHaveLength(2);
    for (const domain of ['devices.example.org', 'example.org', 'web--pi.devices.example.org']) {
      for (const name of ['__Host-postern', ...names, '__Host-postern-tenant']) {
        await page.evaluate(`document.cookie = '${name}=evil; Path=/; Secure; Domain=${domain}'`);
        await page.evaluate(`document.cookie = '=${name}=evil; Path=/; Secure; Domain=${domain}'`);
      }
    }
    expect((await context.cookies()).filter((cookie) => cookie.value.includes('evil'))).toEqual([]);
    const reached = await page.goto(`${PI_URL}/still`);
    expect(await reached?.json()).toMatchObject({ target: '/still' });
    // A page that may not be read cannot be asked either, signed in or not.
    const asked = `fetch('${lampUrl}/x', { mode: 'no-cors', credentials: 'include' }).then(() => 1, () => 'failed')`;
    expect(await page.evaluate(asked)).toBe('failed');
  });

  test('that nobody has are 421', async () => {
    for (const host of ['web--gone', 'pi', 'web---pi']) {
      expect((await browser.fetch(`https://${host}.devices.example.org/`)).status).toBe(421);
    }
  });
});
