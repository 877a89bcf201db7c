import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { streamServer } from '../../../src/agent/serve.ts';
import type { Paired } from '../../../src/devices/model.ts';
import { TUNNEL_PATH } from '../../../src/devices/routes-tunnel.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { reachAudience } from '../../../src/sessions/audience.ts';
import { type DeviceKey, newDeviceKey } from '../../../src/signatures/ed25519-key.ts';
import { signRequest } from '../../../src/signatures/sign-request.ts';
import { DEFAULT_MUX_LIMITS } from '../../../src/tunnel/model.ts';
import { openMux } from '../../../src/tunnel/mux.ts';
import { DEFAULT_LIMITS } from '../../support/agent-stream.ts';
import { deviceService } from '../../support/device-service.ts';
import { AUTH_URL, type ProtectedSite, protectedSite } from '../../support/protected-site.ts';
import { recordedLog } from '../../support/silent-log.ts';
import { pairSiteDevice } from '../../support/site-device.ts';
import { until } from '../../support/until.ts';

/** Tunnels through the proxies of the guides, with their own files. */

setDefaultTimeout(60_000);

const HOST = new URL(AUTH_URL).host;

describe.each(['nginx', 'caddy'] as const)('behind %s', (name) => {
  const stack = new AsyncDisposableStack();
  let site: ProtectedSite;
  let paired: Paired;
  let token = '';
  const key: DeviceKey = newDeviceKey();
  const service = stack.use(deviceService());

  /** Trusts the certificate of the test, which is for another name than where the proxy listens. */
  const tls = () => ({ ca: site.mapping.ca, serverName: HOST, checkServerIdentity: () => undefined });

  const dial = () => {
    const { sessionId } = paired.device;
    const url = new URL(TUNNEL_PATH, AUTH_URL);
    const signed = signRequest({ method: 'GET', url }, { key, sessionId, now: Date.now() });
    const socket = new WebSocket(`wss://127.0.0.1:${site.mapping.port}${TUNNEL_PATH}`, {
      headers: { host: HOST, ...signed },
      tls: tls(),
    });
    socket.binaryType = 'arraybuffer';
    const server = streamServer({
      services: new Map([['web', service.target]]),
      limits: DEFAULT_LIMITS,
      clock: systemClock,
      log: recordedLog(),
    });
    const mux = openMux({
      role: 'client',
      clock: systemClock,
      limits: { ...DEFAULT_MUX_LIMITS, opensPerSecond: 10_000 },
      transport: { send: (frame) => (socket.send(frame), true), close: () => socket.close() },
      onStream: (stream) => server.accept(stream),
      onEnd: () => server[Symbol.dispose](),
    });
    socket.addEventListener('message', ({ data }: MessageEvent<ArrayBuffer>) =>
      mux.receive(new Uint8Array(data)),
    );
    socket.addEventListener('close', ({ code, reason }) => mux.lost(code, reason));
    return socket;
  };

  const go = (path: string, init: RequestInit = {}) =>
    fetch(`https://127.0.0.1:${site.mapping.port}/d/${paired.device.handle}/web${path}`, {
      ...init,
      headers: { host: HOST, authorization: `Bearer ${token}` },
      tls: tls(),
    });

  beforeAll(async () => {
    site = stack.use(await protectedSite(name));
    const { services } = site;
    const ada = await site.addUser('ada');
    paired = await pairSiteDevice({ ...services, origin: AUTH_URL }, ada.id, { key });
    const issued = await services.db.write((tx) => {
      const from = { provider: undefined, providerSid: undefined, address: undefined, userAgent: undefined };
      const browser = services.ledger.openBrowserSession(tx, { userId: ada.id, origin: from });
      return services.ledger.openPersonalToken(tx, {
        issuedBy: browser.session.id,
        label: 'test',
        audience: [reachAudience(paired.device.id, 'web')],
        expiresAt: Date.now() + 3_600_000,
        origin: from,
      });
    });
    token = issued.token;
    const socket = dial();
    stack.defer(() => socket.close());
    await until('the device connects', () => services.hub.find(paired.device.id) !== undefined);
  });
  afterAll(() => stack.disposeAsync());

  test('a device is reached, with bodies of any size', async () => {
    expect(await (await go('/hello?x=1')).json()).toMatchObject({ target: '/hello?x=1' });
    const bytes = new Uint8Array(5_000_000);
    expect(await (await go('/hash', { method: 'POST', body: bytes })).json()).toMatchObject({
      bytes: bytes.length,
    });
    expect((await (await go('/zeros?bytes=5000000')).bytes()).length).toBe(5_000_000);
  });

  test('events come as they are said', async () => {
    const reader = (await go('/events')).body?.getReader();
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toStartWith('data: 0');
    await reader?.cancel();
    await until('the service hears that nobody listens', () => service.ended.includes('events'));
  });

  test('WebSockets open, below /d/', async () => {
    const { port } = site.mapping;
    const socket = new WebSocket(`wss://127.0.0.1:${port}/d/${paired.device.handle}/web/socket`, {
      headers: { host: HOST, authorization: `Bearer ${token}` },
      tls: tls(),
    });
    const heard = new Promise((resolve) => {
      socket.addEventListener('message', ({ data }) => resolve(data), { once: true });
    });
    socket.addEventListener('open', () => socket.send('hello'), { once: true });
    expect(await heard).toBe('hello');
    socket.close();
  });
});
