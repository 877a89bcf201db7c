import { describe, expect, test } from 'bun:test';
import { DialError } from '../../../src/agent/dial.ts';
import { TUNNEL_PATH } from '../../../src/devices/routes-tunnel.ts';
import { newDeviceKey } from '../../../src/signatures/ed25519-key.ts';
import { Flag, FrameType } from '../../../src/tunnel/constants.ts';
import { controlFrame } from '../../../src/tunnel/frame.ts';
import type { TemporaryApi } from '../../support/api.ts';
import { TEST_RELAY_HOST } from '../../support/devices.ts';
import { TEST_ORIGIN } from '../../support/ledger.ts';
import { callSigned, codeOf, proofOf } from '../../support/pairing.ts';
import { rawHead, rawHttp } from '../../support/raw-http.ts';
import { connected, dialAgent, tunnelHeaders } from '../../support/tunnel-agent.ts';
import { type TunnelSite, tunnelSite } from '../../support/tunnel-site.ts';
import { until } from '../../support/until.ts';

const HANDSHAKE = {
  connection: 'Upgrade, close',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
};

/** What a handshake by hand is answered. */
async function refusal(
  api: TemporaryApi,
  headers: Readonly<Record<string, string>>,
  method = 'GET',
): Promise<string> {
  const lines = Object.entries({ ...HANDSHAKE, ...headers }).map(([name, value]) => `${name}: ${value}`);
  const head = [`${method} ${TUNNEL_PATH} HTTP/1.1`, ...lines, '', ''].join('\r\n');
  const answer = await rawHttp(api.port, head);
  return `${answer.status} ${(JSON.parse(answer.body) as { code: string }).code}`;
}

describe('a device dials', () => {
  test('and is connected, at the host of url and at the relay', async () => {
    await using site = await tunnelSite();
    const { api, device } = site;
    for (const origin of [TEST_ORIGIN, `https://${TEST_RELAY_HOST}`]) {
      await using agent = await site.dial({ origin, headers: { 'user-agent': 'postern-agent/1' } });
      expect(await agent.tunnel.mux.ping()).toBeGreaterThan(0);
      expect(api.hub.find(device.id)?.peer).toMatchObject({
        sessionId: device.sessionId,
        userAgent: 'postern-agent/1',
        address: '127.0.0.1',
      });
    }
    await connected(api, device, false);
  });

  test('and streams that it opens are reset: the server alone asks', async () => {
    await using site = await tunnelSite();
    await using agent = await site.dial();
    const stream = agent.tunnel.mux.open();
    const reset = new Promise((resolve) => {
      stream?.read({ data: () => undefined, end: () => undefined, reset: resolve });
    });
    void stream?.write(Buffer.from('hello'));
    expect(await reset).toBe('remote');
    expect(site.api.hub.find(site.device.id)?.isOpen).toBe(true);
  });
});

describe('a handshake is refused', () => {
  test('that is not signed, or signed for something else', async () => {
    await using site = await tunnelSite();
    const { api, device } = site;
    const headers = tunnelHeaders(api, device);
    const { host = '' } = headers;
    expect(await refusal(api, { host })).toBe('401 signature_missing');
    expect(await refusal(api, { host, authorization: `Bearer ${device.token}` })).toBe(
      '401 signature_missing',
    );
    expect(await refusal(api, { ...headers, host: TEST_RELAY_HOST })).toBe('401 signature_authority');
    const other = { ...device, key: newDeviceKey() };
    expect(await refusal(api, tunnelHeaders(api, other))).toBe('401 signature_invalid');
    expect(await refusal(api, { ...headers, host: 'elsewhere.example.test' })).toBe('421 unknown_host');
    expect(api.hub.list()).toEqual([]);
  });

  test('that was used, also when it failed half-way', async () => {
    await using site = await tunnelSite();
    const { api, device } = site;
    const headers = tunnelHeaders(api, device);
    await using _agent = await dialAgent(api, device, { headers });
    expect(await refusal(api, headers)).toBe('401 signature_replayed');
  });

  test('that a page makes', async () => {
    await using site = await tunnelSite();
    const { api, device } = site;
    const page = { origin: TEST_ORIGIN };
    expect(await refusal(api, { ...tunnelHeaders(api, device), ...page })).toBe('403 not_for_browsers');
    expect(await refusal(api, { ...tunnelHeaders(api, device), cookie: 'a=1' })).toBe('403 not_for_browsers');
  });

  test('that is no handshake', async () => {
    await using site = await tunnelSite();
    const { api, device } = site;
    const headers = tunnelHeaders(api, device);
    expect(await refusal(api, { ...headers, upgrade: 'h2c' })).toBe('400 web_socket_required');
    expect(await refusal(api, { ...headers, 'sec-websocket-version': '8' })).toBe('400 malformed_handshake');
    expect(await refusal(api, { ...headers, 'content-length': '0' }, 'POST')).toBe('400 web_socket_required');
  });

  test('of a device that is not paired any more', async () => {
    await using site = await tunnelSite();
    const { api, device, owner } = site;
    const unpaired = await api.call(`/api/v1/devices/${device.id}`, {
      method: 'DELETE',
      cookie: owner.token,
    });
    expect(unpaired.status).toBe(204);
    expect(await refusal(api, tunnelHeaders(api, device))).toBe('401 device_not_paired');
    expect(dialAgent(api, device)).rejects.toThrow(DialError);
  });
});

test('the relay’s host serves tunnels and nothing else', async () => {
  await using site = await tunnelSite();
  for (const path of ['/', '/sign-in', '/api/v1/device', '/openapi.json']) {
    const answer = await rawHttp(
      site.api.port,
      rawHead(`GET ${path} HTTP/1.1`, `Host: ${TEST_RELAY_HOST}`, 'Accept: application/json'),
    );
    expect(answer.status).toBe(421);
  }
});

describe('what breaks the protocol closes the tunnel', () => {
  const frames: [name: string, message: string | Uint8Array, code: number][] = [
    ['text', 'hello', 4400],
    ['half a header', new Uint8Array(5), 4400],
    ['another version', Uint8Array.of(1, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1), 4400],
    ['data for a stream that was never opened', Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0), 4400],
    ['more than a frame may hold', new Uint8Array(40_000), 1009],
  ];

  const flood = Array.from({ length: 200 }, (_, at) => controlFrame(FrameType.ping, Flag.syn, 0, at));

  test.each([
    ...frames.map(([name, message, code]) => [name, [message], code] as const),
    ['a flood of pings', flood, 4429] as const,
  ])('%s', async (_name, messages, code) => {
    await using site = await tunnelSite();
    const { api, device } = site;
    const socket = new WebSocket(`ws://127.0.0.1:${api.port}${TUNNEL_PATH}`, {
      headers: tunnelHeaders(api, device),
    });
    const closed = new Promise<number>((resolve) => {
      socket.addEventListener('close', (event) => resolve(event.code));
    });
    await connected(api, device);
    for (const message of messages) socket.send(message);
    expect(await closed).toBe(code);
    await connected(api, device, false);
  });
});

describe('a key that is replaced', () => {
  const rotate = ({ api, device, clock }: TunnelSite) => {
    const proof = proofOf(device.sessionId, newDeviceKey(), Math.floor(clock.now() / 1_000));
    return callSigned(api, device, 'POST', '/api/v1/device/key', proof);
  };

  test('takes the tunnel along that it had opened; the device dials again with the new one', async () => {
    await using site = await tunnelSite();
    const agent = await site.dial();
    expect((await rotate(site)).status).toBe(200);
    expect(site.api.hub.list()).toEqual([]);
    expect(await agent.tunnel.ended).toMatchObject({ code: 4503 });
    expect(dialAgent(site.api, site.device)).rejects.toThrow(DialError);
  });

  test('while it dials: what it opens ends, or is not let in', async () => {
    await using site = await tunnelSite();
    const { api, device } = site;
    const dialling = Array.from({ length: 5 }, () => dialAgent(api, device).catch(() => undefined));
    expect((await rotate(site)).status).toBe(200);
    for (const agent of await Promise.all(dialling)) await agent?.tunnel.ended;
    expect(api.hub.list()).toEqual([]);
  });
});

describe('of two connections of one device', () => {
  test('the newest stands, and carries what comes next', async () => {
    await using site = await tunnelSite();
    await using first = await site.dial();
    await using _second = await site.dial();
    expect(await first.tunnel.ended).toMatchObject({ code: 4409 });
    expect((await site.go('/hello')).status).toBe(200);
    expect(site.api.hub.list()).toHaveLength(1);
    expect(site.api.hub.find(site.device.id)?.generation).toBe(2);
  });

  test('a key that somebody copied shows after three changes in five minutes', async () => {
    await using site = await tunnelSite();
    const { api, device, owner } = site;
    const dial = async (who: string) => {
      await site.dial({ headers: { 'postern-instance': who.padEnd(16, '-') } });
      await until('the other one was closed', () => api.hub.list().length === 1);
    };
    const rows = async () => {
      const answer = await api.call('/api/v1/audit', { cookie: owner.token });
      const { events } = (await answer.json()) as { events: { action: string; detail: unknown }[] };
      return events.filter(({ action }) => action === 'device.cloned');
    };
    for (const who of ['one', 'one', 'one', 'one', 'one']) await dial(who);
    expect(await rows()).toEqual([]);
    await dial('two');
    await dial('one');
    expect(await rows()).toEqual([]);
    await dial('two');
    await until('the audit has it', async () => (await rows()).length === 1);
    expect(await rows()).toMatchObject([{ detail: { device: device.id } }]);
    expect(api.base.metrics.render()).toContain('postern_device_clones_total 1\n');
  });

  test('changes that lie further apart are none', async () => {
    await using site = await tunnelSite();
    for (const who of ['one', 'two', 'one', 'two', 'one']) {
      await site.dial({ headers: { 'postern-instance': who.padEnd(16, '-') } });
      await site.clock.advance(3 * 60_000);
    }
    expect(site.api.base.metrics.render()).toContain('postern_device_clones_total 0\n');
  });
});

test('a stream to a device that is not connected says when it was last seen', async () => {
  await using site = await tunnelSite();
  const agent = await site.dial();
  await site.clock.advance(60_000);
  await agent[Symbol.asyncDispose]();
  await connected(site.api, site.device, false);
  const seenAt = new Date(site.clock.now()).toISOString();
  const answer = await site.go('/hello');
  expect(answer.headers.get('retry-after')).toBe('30');
  expect(await answer.clone().json()).toMatchObject({ last_seen_at: seenAt });
  expect(await codeOf(answer)).toBe('503 device_offline');
});
