import { describe, expect, test } from 'bun:test';
import { TUNNEL_PATH } from '../../../src/devices/routes-tunnel.ts';
import { encodeAnswerHead } from '../../../src/tunnel/heads.ts';
import type { TunnelStream } from '../../../src/tunnel/model.ts';
import { codeOf } from '../../support/pairing.ts';
import { connected, dialAgent, tunnelHeaders } from '../../support/tunnel-agent.ts';
import { type TunnelSite, tunnelSite } from '../../support/tunnel-site.ts';
import { until } from '../../support/until.ts';

const unpair = ({ api, device, owner }: TunnelSite) =>
  api.call(`/api/v1/devices/${device.id}`, { method: 'DELETE', cookie: owner.token });

/** Reads an answer until it is over, one way or another. */
async function follow(answer: Response) {
  const seen = { bytes: 0, outcome: 'open' };
  const reading = (async () => {
    try {
      for await (const chunk of answer.body ?? []) seen.bytes += (chunk as Uint8Array).length;
      seen.outcome = 'ended';
    } catch {
      seen.outcome = 'cut';
    }
  })();
  await until('something came', () => seen.bytes > 0);
  return { seen, reading };
}

const openSocket = async (site: TunnelSite) => {
  const socket = site.socket('/socket');
  await new Promise((resolve) => {
    socket.addEventListener('open', resolve, { once: true });
  });
  const closed = new Promise<number>((resolve) => {
    socket.addEventListener('close', ({ code }) => resolve(code), { once: true });
  });
  return { socket, closed };
};

describe('unpairing', () => {
  test('while streaming: once it is answered nothing goes on', async () => {
    await using site = await tunnelSite();
    const agent = await site.dial();
    const events = await follow(await site.go('/events'));
    const download = await follow(await site.go('/zeros?bytes=100000000000'));
    const { closed } = await openSocket(site);
    await until('all of it is open', () => site.api.hub.find(site.device.id)?.streamCount === 3);

    expect((await unpair(site)).status).toBe(204);
    expect(site.api.hub.list()).toEqual([]);
    expect(await agent.tunnel.ended).toMatchObject({ code: 4401 });
    await Promise.all([events.reading, download.reading]);
    expect([events.seen.outcome, download.seen.outcome]).toEqual(['cut', 'cut']);
    expect(await closed).toBe(1013);
    await until('the service is let go of', () => site.service.open.size === 0);
    expect(await codeOf(await site.go('/hello'))).toBe('401 invalid_token');
    const atHost = await fetch(site.url('/hello'), { headers: site.hostHeaders() });
    expect(await codeOf(atHost)).toBe('421 unknown_host');
    expect(dialAgent(site.api, site.device)).rejects.toThrow();
  });

  test('while reconnecting: whoever was under way is out, whenever it comes', async () => {
    for (let round = 0; round < 5; round++) {
      await using site = await tunnelSite();
      const { api, device } = site;
      await using _first = await site.dial();
      const dials = Array.from({ length: 20 }, async () => {
        try {
          return await (await dialAgent(api, device)).tunnel.ended;
        } catch {
          return undefined;
        }
      });
      // Each time at another point of their way.
      for (let turn = 0; turn < round * 20; turn++) await new Promise(setImmediate);
      expect((await unpair(site)).status).toBe(204);
      expect(api.hub.list()).toEqual([]);
      const ends = await Promise.all(dials);
      for (const end of ends) if (end !== undefined) expect([4401, 4409]).toContain(end.code);
      expect(api.hub.list()).toEqual([]);
      expect(dialAgent(api, device)).rejects.toThrow();
    }
  });

  test('while a request waits for its answer', async () => {
    await using site = await tunnelSite();
    await using _agent = await site.dial();
    const waiting = site.go('/never');
    await until('it is under way', () => site.service.open.has('never'));
    expect((await unpair(site)).status).toBe(204);
    expect((await waiting).status).toBe(503);
  });

  test('ends by whatever ends its session: "everywhere, devices too"', async () => {
    await using site = await tunnelSite();
    const agent = await site.dial();
    await site.api.base.ledger.end(site.device.sessionId, { reason: 'ended_by_owner' });
    expect(await agent.tunnel.ended).toMatchObject({ code: 4401 });
  });
});

describe('a visitor whose session ends', () => {
  test('has nothing open any more, and others go on', async () => {
    await using site = await tunnelSite();
    await using agent = await site.dial();
    const { api, owner, device } = site;
    const other = await api.makeToken(owner, { scopes: [], reach: [{ device: device.id, service: 'web' }] });
    const events = await follow(await site.go('/events'));
    const { socket, closed } = await openSocket(site);
    const headers = { authorization: `Bearer ${other.token}` };
    const others = await follow(await site.go('/events', { headers }));
    await until('all of it is open', () => api.hub.find(device.id)?.streamCount === 3);

    const { tokens } = (await (await api.call('/api/v1/tokens', { cookie: owner.token })).json()) as {
      tokens: { id: string }[];
    };
    const own = tokens.find(({ id }) => id !== other.sessionId)?.id ?? '';
    await api.call(`/api/v1/tokens/${own}`, { method: 'DELETE', cookie: owner.token });
    await events.reading;
    expect(events.seen.outcome).toBe('cut');
    expect(await closed).toBe(4401);
    expect(await codeOf(await site.go('/hello'))).toBe('401 invalid_token');
    const before = others.seen.bytes;
    await until('others go on', () => others.seen.bytes > before);
    await agent.tunnel.mux.ping();
    socket.close();
  });
});

describe('the server goes away', () => {
  test('and says so to devices and visitors; what would stay for ever is cut at once', async () => {
    const site = await tunnelSite();
    const agent = await site.dial();
    const events = await follow(await site.go('/events'));
    const { closed } = await openSocket(site);
    await until('both are open', () => site.api.hub.find(site.device.id)?.streamCount === 2);
    await site[Symbol.asyncDispose]();
    expect(await agent.tunnel.ended).toMatchObject({ code: 4503 });
    await events.reading;
    expect(events.seen.outcome).toBe('cut');
    expect(await closed).toBe(1001);
  });

  test('and what is under way comes to its end first', async () => {
    const site = await tunnelSite();
    const asked = Promise.withResolvers<TunnelStream>();
    const agent = await site.dial({ onStream: asked.resolve });
    const answer = site.go('/x');
    await until('it is under way', () => site.api.hub.find(site.device.id)?.streamCount === 1);
    const closing = site[Symbol.asyncDispose]();
    await until('nothing more is taken', () => site.api.hub.find(site.device.id)?.isOpen === false);
    const stream = await asked.promise;
    void stream.write(encodeAnswerHead({ status: 200, headers: [] }));
    void stream.write(Buffer.from('the whole answer'));
    stream.finish();
    expect(await (await answer).text()).toBe('the whole answer');
    expect(await agent.tunnel.ended).toMatchObject({ code: 4503 });
    await closing;
  });
});

describe('heartbeats', () => {
  /** A device that takes the tunnel and never says anything. */
  const silent = async ({ api, device }: TunnelSite) => {
    const socket = new WebSocket(`ws://127.0.0.1:${api.port}${TUNNEL_PATH}`, {
      headers: tunnelHeaders(api, device),
    });
    const closed = new Promise<number>((resolve) => {
      socket.addEventListener('close', ({ code }) => resolve(code), { once: true });
    });
    await connected(api, device);
    return { closed };
  };

  test('close a tunnel that is silent for too long, and not before', async () => {
    await using site = await tunnelSite();
    const { closed } = await silent(site);
    const rounds = async (until: number) => {
      for (let passed = 0; passed < until; passed += 4_000) {
        site.api.hub.round();
        await site.clock.advance(4_000);
      }
    };
    await rounds(40_000);
    expect(site.api.hub.list()).toHaveLength(1);
    await rounds(12_000);
    expect(await closed).toBe(4408);
    expect(site.api.hub.list()).toEqual([]);
    expect(site.api.base.metrics.render()).toContain('postern_tunnels_closed_total{reason="silent"} 1\n');
  });

  test('leave one that answers alone, measure the way, and tell now and then that it is there', async () => {
    await using site = await tunnelSite();
    await using _agent = await site.dial();
    const { api, device, clock } = site;
    const tunnel = api.hub.find(device.id);
    const seenAt = () => api.base.ledger.lastSeenAt(device.sessionId) ?? 0;
    const before = seenAt();
    for (let minutes = 0; minutes < 14 * 3; minutes++) {
      api.hub.round();
      await until('it answers', () => tunnel?.hasAnswered === true);
      await clock.advance(20_000);
    }
    expect(seenAt()).toBe(before);
    for (let minutes = 0; minutes < 6; minutes++) {
      api.hub.round();
      await until('it answers', () => tunnel?.hasAnswered === true);
      await clock.advance(20_000);
    }
    expect(seenAt()).toBeGreaterThan(before);
    expect(tunnel?.roundTripMs).toBeGreaterThanOrEqual(0);
    expect(api.hub.list()).toHaveLength(1);
  });
});

test('a stream in which nothing moves is ended after its time', async () => {
  const config = { stream_idle_timeout: 60_000, heartbeat_timeout: 3_600_000 };
  await using site = await tunnelSite({}, { devices: { config } });
  await using _agent = await site.dial();
  const { socket, closed } = await openSocket(site);
  const rounds = async (count: number) => {
    for (let at = 0; at < count; at++) {
      site.api.hub.round();
      await site.clock.advance(10_000);
    }
  };
  await rounds(5);
  const answered = new Promise((resolve) => {
    socket.addEventListener('message', resolve, { once: true });
  });
  socket.send('still here');
  await answered;
  await rounds(6);
  expect(socket.readyState).toBe(WebSocket.OPEN);
  await rounds(2);
  expect(await closed).toBe(1001);
});

describe('over the API', () => {
  interface Tunnel {
    generation: number;
    streams: Record<string, unknown>[];
  }

  test('its owner sees the tunnel and what is open in it, and ends one or all', async () => {
    await using site = await tunnelSite();
    const { api, device, owner, token } = site;
    const path = `/api/v1/devices/${device.id}/tunnel`;
    expect((await api.call(path, { bearer: token })).status).toBe(404);
    const agent = await site.dial();
    const events = await follow(await site.go('/events'));
    const other = await follow(await site.go('/zeros?bytes=100000000000'));
    const tunnel = (await (await api.call(path, { bearer: token })).json()) as Tunnel;
    expect(tunnel).toMatchObject({ generation: 1, address: '127.0.0.1' });
    expect(tunnel.streams).toHaveLength(2);
    expect(tunnel.streams[0]).toMatchObject({ kind: 'http', service: 'web', user_id: owner.userId });
    expect(Number(tunnel.streams[0]?.['bytes_from_device'])).toBeGreaterThan(0);

    const figures = () => api.base.metrics.render();
    expect(figures()).toContain('postern_tunnels 1\n');
    expect(figures()).toContain('postern_tunnel_streams 2\n');
    expect(figures()).toContain('postern_device_streams_total{kind="http",outcome="answered"} 2\n');

    const end = (rest: string) => api.call(`${path}${rest}`, { method: 'DELETE', cookie: owner.token });
    expect((await end('/streams/4242')).status).toBe(404);
    expect((await end('/streams/0x2')).status).toBe(404);
    expect((await end(`/streams/${String(tunnel.streams[0]?.['id'])}`)).status).toBe(204);
    await events.reading;
    expect([events.seen.outcome, other.seen.outcome]).toEqual(['cut', 'open']);
    expect((await end('')).status).toBe(204);
    expect(await agent.tunnel.ended).toMatchObject({ code: 4503 });
    await other.reading;
    expect((await end('')).status).toBe(404);
    expect(figures()).toContain('postern_tunnels 0\n');
    expect(figures()).toMatch(/postern_tunnel_bytes_total\{direction="from_device"\} [1-9][0-9]{5,}\n/);

    const { events: rows } = (await (await api.call('/api/v1/audit', { cookie: owner.token })).json()) as {
      events: { action: string; detail: unknown }[];
    };
    const actions = rows.map(({ action }) => action);
    expect(actions).toContain('device.stream_ended');
    expect(actions).toContain('device.tunnel_ended');
  });

  test('and nobody else does', async () => {
    await using site = await tunnelSite();
    await using _agent = await site.dial();
    const { api, device } = site;
    const stranger = await api.signInOwner();
    const path = `/api/v1/devices/${device.id}/tunnel`;
    expect((await api.call(path, { cookie: stranger.token })).status).toBe(404);
    expect((await api.call(path, { method: 'DELETE', cookie: stranger.token })).status).toBe(404);
    expect((await api.call(`${path}/streams/2`, { method: 'DELETE', cookie: stranger.token })).status).toBe(
      404,
    );
    expect((await api.call(path)).status).toBe(401);
    const reader = await api.makeToken(site.owner, { scopes: ['devices:read'] });
    expect((await api.call(path, { method: 'DELETE', bearer: reader.token })).status).toBe(401);
    expect(api.hub.list()).toHaveLength(1);
  });
});
