import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import type { Pairing } from '../../../src/agent/model.ts';
import type { AgentState } from '../../../src/agent/state.ts';
import type { AgentPhase } from '../../../src/agent/status.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import type { Browser } from '../../support/browser.ts';
import { type FaultProxy, startFaultProxy } from '../../support/fault-proxy.ts';
import { freePort } from '../../support/free-port.ts';
import { seededRandom } from '../../support/random.ts';
import { type AgentPlace, agentPlace, newPairing } from '../../support/site-agent.ts';
import { until } from '../../support/until.ts';
import { type WholeSite, wholeSite } from '../../support/whole-site.ts';

let site: WholeSite;
let owner: Browser;
/** The line that every agent here dials over. */
let proxy: FaultProxy;
beforeAll(async () => {
  const port = freePort();
  site = await wholeSite({ devices: { relay_url: `http://127.0.0.1:${port}` } });
  proxy = await startFaultProxy(site.port, [200, 400], port);
  owner = await site.signedIn('owner');
});
afterAll(async () => {
  await proxy?.[Symbol.asyncDispose]();
  await site?.[Symbol.asyncDispose]();
});

async function joined(place: AgentPlace, name: string): Promise<Pairing> {
  return place.join((await newPairing(site, owner)).code, { name });
}

const inPhase = (agent: { status(): { phase: AgentPhase } }, phase: AgentPhase) =>
  until(`it is ${phase}`, () => agent.status().phase === phase);

/** What an agent keeps, and how often it has looked for its pairing. */
function watched(state: AgentState) {
  let looks = 0;
  const pairing = () => {
    looks++;
    return state.pairing();
  };
  return { state: { ...state, pairing }, looks: () => looks };
}

/** Has an agent without a pairing look for one again and again. */
async function looksAgain(agent: { reload(): void }, looks: () => number): Promise<void> {
  for (let times = 0; times < 3; times++) {
    const before = looks();
    agent.reload();
    await until('it looks', () => looks() > before);
  }
}

interface SeenDevice {
  connected: boolean;
  reported: { version?: string; state?: Record<string, unknown> } | null;
}

async function seen(handle: string): Promise<SeenDevice> {
  const response = await owner.fetch(site.url(`/api/v1/devices/${handle}`), {
    headers: { origin: site.app.url },
  });
  return (await response.json()) as SeenDevice;
}

const unpair = (handle: string) =>
  owner.fetch(site.url(`/api/v1/devices/${handle}`), { method: 'DELETE', headers: { origin: site.app.url } });

describe('an agent', () => {
  test('connects, is seen, and tells its version and services', async () => {
    using place = agentPlace(site);
    await joined(place, 'Seen');
    const target = { kind: 'tcp', hostname: '127.0.0.1', port: 22, origin: 'tcp://127.0.0.1:22' } as const;
    await using agent = place.start({ services: new Map([['ssh', target]]) });
    await inPhase(agent, 'connected');
    await until('it has reported', async () => (await seen('seen')).reported !== null);
    expect(await seen('seen')).toMatchObject({
      connected: true,
      reported: { version: '1.2.3', state: { services: 'ssh' } },
    });
    await until('the way is measured', () => agent.status().round_trip_ms !== null);
    expect(agent.status()).toMatchObject({ server: site.app.url, handle: 'seen', connections: 1, dials: 1 });
  });

  test('waits for a pairing, and takes it up without a restart', async () => {
    using place = agentPlace(site);
    await using agent = place.start();
    await inPhase(agent, 'unpaired');
    await joined(place, 'Later');
    agent.reload();
    await inPhase(agent, 'connected');
    expect(agent.status().dials).toBe(1);
  });

  test('corrects its clock by the word of the server, once', async () => {
    using place = agentPlace(site);
    await joined(place, 'Clockless');
    const clock = { ...systemClock, now: () => systemClock.now() - 20 * 365 * 86_400_000 };
    await using agent = place.start({ clock });
    await inPhase(agent, 'connected');
    expect(agent.status().dials).toBe(2);
    expect(Math.abs(agent.status().clock_behind_ms - 20 * 365 * 86_400_000)).toBeLessThan(60_000);
    await until(
      'its report is signed by that clock',
      async () => (await seen('clockless')).reported !== null,
    );
  });

  test('follows a clock that is set while it runs', async () => {
    using place = agentPlace(site);
    await joined(place, 'Stepping');
    let offset = -86_400_000;
    const clock = { ...systemClock, now: () => systemClock.now() + offset };
    await using agent = place.start({ clock });
    await inPhase(agent, 'connected');
    offset = 0;
    await proxy.inject('cut', seededRandom(1));
    await until('it is back', () => agent.status().connections === 2 && agent.status().phase === 'connected');
    expect(Math.abs(agent.status().clock_behind_ms)).toBeLessThan(60_000);
  });
});

describe('what an agent keeps', () => {
  test('is damaged while it runs: it says so, and goes on once that is mended', async () => {
    using place = agentPlace(site);
    const pairing = await joined(place, 'Damaged');
    await Bun.write(`${place.state.directory}/device.json`, '{');
    await using agent = place.start();
    await until('it says so', () => agent.status().last_failure?.includes('is damaged') === true);
    place.state.writePairing(pairing);
    await inPhase(agent, 'connected');
  });

  test('cannot be written when it is unpaired: it is over all the same', async () => {
    using place = agentPlace(site);
    await joined(place, 'Unwritable');
    const { state, looks } = watched(place.state);
    const writePairing = () => {
      throw new Error('the disk is full');
    };
    await using agent = place.start({ state: { ...state, writePairing } });
    await inPhase(agent, 'connected');
    await unpair('unwritable');
    await inPhase(agent, 'revoked');
    const { dials } = agent.status();
    await looksAgain(agent, looks);
    expect(agent.status().dials).toBe(dials);
  });
});

describe('a device that was unpaired', () => {
  test('says so, waits without asking, and can be paired anew', async () => {
    using place = agentPlace(site);
    const before = await joined(place, 'Leaver');
    const { state, looks } = watched(place.state);
    await using agent = place.start({ state });
    await inPhase(agent, 'connected');
    expect((await unpair('leaver')).status).toBe(204);
    await inPhase(agent, 'revoked');
    const { dials } = agent.status();
    expect(place.state.pairing()?.ended).toMatchObject({ code: 'session_ended' });
    await looksAgain(agent, looks);
    expect(agent.status().dials).toBe(dials);
    expect(agent.log.lines.filter(({ message }) => message.includes('was unpaired'))).toHaveLength(1);

    place.state.renewKey();
    const after = await joined(place, 'Leaver');
    agent.reload();
    await inPhase(agent, 'connected');
    expect(after.deviceId).not.toBe(before.deviceId);
  });

  test('hears of it at its next dial, when it was away', async () => {
    using place = agentPlace(site);
    await joined(place, 'Absent');
    await unpair('absent');
    await using agent = place.start();
    await inPhase(agent, 'revoked');
    expect(place.state.pairing()?.ended).toMatchObject({ code: 'device_not_paired' });
    expect(agent.status().dials).toBe(1);
  });

  test('still knows it after a restart', async () => {
    using place = agentPlace(site);
    await joined(place, 'Restarted');
    await unpair('restarted');
    await using first = place.start();
    await inPhase(first, 'revoked');
    await first[Symbol.asyncDispose]();
    await using second = place.start();
    await inPhase(second, 'revoked');
    expect(second.status().dials).toBe(0);
  });
});

describe('a line that is not there', () => {
  test('is dialled again and again, and the server is not taken for one that has unpaired it', async () => {
    using place = agentPlace(site);
    await joined(place, 'Patient');
    const down = proxy.inject('refuse', seededRandom(3));
    await using agent = place.start();
    await until('it has tried', () => agent.status().dials > 3);
    expect(agent.status().last_failure).not.toBeNull();
    await down;
    await inPhase(agent, 'connected');
  });

  test.each([
    ['a page of a captive portal', () => new Response('<h1>Welcome</h1>', { status: 200 })],
    ['a refusal that is none of ours', () => new Response('no', { status: 401 })],
    ['a proxy whose server is down', () => new Response('bad gateway', { status: 502 })],
  ])('%s is no reason to give up the pairing', async (_what, answer) => {
    const portal = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: answer });
    using place = agentPlace(site);
    const pairing = await joined(place, 'Hotel');
    const server = `http://127.0.0.1:${portal.port}`;
    place.state.writePairing({
      ...pairing,
      server,
      tunnelUrl: `ws://127.0.0.1:${portal.port}/api/v1/device/tunnel`,
    });
    await using agent = place.start();
    await until('it has tried', () => agent.status().dials > 3);
    expect(place.state.pairing()?.ended).toBeUndefined();
    await portal.stop(true);
  });

  test('two agents with one key: the newest has the tunnel, the other waits', async () => {
    using place = agentPlace(site);
    using copy = agentPlace(site);
    const pairing = await joined(place, 'Twin');
    await Bun.write(`${copy.state.directory}/key`, Bun.file(`${place.state.directory}/key`));
    copy.state.writePairing(pairing);
    const timing = { backoff_max: 60_000 };
    await using first = place.start({ timing });
    await inPhase(first, 'connected');
    await using second = copy.start({ timing });
    await inPhase(second, 'connected');
    await inPhase(first, 'waiting');
    expect(first.status().last_failure).toContain('another agent with the key of this device');
    const due = Date.parse(first.status().next_dial_at ?? '') - systemClock.now();
    expect(due).toBeGreaterThan(25_000);
    expect(second.status()).toMatchObject({ phase: 'connected', connections: 1 });
  });
});
