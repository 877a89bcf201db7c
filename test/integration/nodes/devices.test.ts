import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import type { Services } from '../../../src/agent/model.ts';
import type { Browser } from '../../support/browser.ts';
import { type DeviceApp, startDeviceApp } from '../../support/device-app.ts';
import { type AgentPlace, agentPlace, newPairing } from '../../support/site-agent.ts';
import { until } from '../../support/until.ts';
import { type WholeNode, type WholeNodes, wholeNodes } from '../../support/whole-nodes.ts';

setDefaultTimeout(30_000);

let nodes: WholeNodes;
let page: DeviceApp;
let ada: Browser;
let bob: Browser;
beforeAll(async () => {
  page = startDeviceApp('kitchen');
  nodes = await wholeNodes();
  ada = await nodes.signedIn('ada');
  bob = await nodes.signedIn('bob', 'member');
});
afterAll(async () => {
  await nodes?.[Symbol.asyncDispose]();
  await page?.[Symbol.asyncDispose]();
});

const cookieOf = (browser: Browser) => browser.cookies.header(nodes.url('/'));
const api = (node: WholeNode, browser: Browser, path: string, init: RequestInit = {}) =>
  node.ask(path, {
    ...init,
    headers: {
      cookie: cookieOf(browser),
      origin: nodes.url('/').origin,
      'content-type': 'application/json',
    },
  });

const web = (): Services =>
  new Map([
    [
      'web',
      {
        kind: 'http',
        hostname: '127.0.0.1',
        port: page.port,
        origin: page.url,
        host: undefined,
        tls: undefined,
      },
    ],
  ]);

/** A token of somebody’s for what the device serves. */
async function tokenFor(browser: Browser, device: string): Promise<string> {
  const reach = [{ device, service: 'web' }];
  const body = JSON.stringify({ label: 'test', expires_in: 3_600, reach });
  const answer = await api(nodes.two, browser, '/api/v1/tokens', { method: 'POST', body });
  const made = (await answer.json()) as { secret: string };
  if (answer.status !== 201) throw new Error(JSON.stringify(made));
  return made.secret;
}

async function joined(
  owner: Browser,
  name: string,
): Promise<{ place: AgentPlace; id: string; handle: string }> {
  const place = agentPlace({ app: nodes.two.app });
  const { code } = await newPairing({ ...nodes, ...nodes.two, log: nodes.two.log }, owner);
  const { deviceId, handle } = await place.join(code, { name });
  return { place, id: deviceId, handle };
}

describe('a device that joins at any node', () => {
  test('is reached through the hub, and let go of it when it is unpaired at another', async () => {
    const { place, id, handle } = await joined(ada, 'Hall');
    using _place = place;
    await using agent = place.start({ services: web() });
    await until('it is connected', () => agent.status().phase === 'connected');
    const headers = { authorization: `Bearer ${await tokenFor(ada, id)}` };
    const go = (node: WholeNode) => node.ask(`/d/${handle}/web/`, { headers });
    expect([(await go(nodes.one)).status, (await go(nodes.two)).status]).toEqual([200, 421]);

    expect(await (await api(nodes.one, ada, `/api/v1/devices/${id}`)).json()).toMatchObject({
      connected: true,
    });
    expect(await (await api(nodes.two, ada, `/api/v1/devices/${id}`)).json()).toMatchObject({
      connected: null,
    });
    expect((await api(nodes.one, ada, `/api/v1/devices/${id}/tunnel`)).status).toBe(200);
    for (const method of ['GET', 'DELETE']) {
      const answer = await api(nodes.two, ada, `/api/v1/devices/${id}/tunnel`, { method });
      expect(await answer.json()).toMatchObject({
        status: 421,
        code: 'other_node',
        role: 'hub',
        node: 'one',
      });
    }
    const shown = await (
      await nodes.two.ask(`/account/devices/${handle}`, {
        headers: { cookie: cookieOf(ada), accept: 'text/html' },
      })
    ).text();
    expect(shown).toContain('Tunnels are at the node <strong class="any">one</strong>');
    for (const path of ['/account/devices', '/admin/devices']) {
      const list = await nodes.two.ask(path, { headers: { cookie: cookieOf(ada), accept: 'text/html' } });
      expect(await list.text()).toContain('only the node <strong class="any">one</strong> can tell');
    }

    const unpaired = await api(nodes.two, ada, `/api/v1/devices/${id}`, { method: 'DELETE' });
    expect(unpaired.status).toBe(204);
    await until('its agent hears that it is out', () => agent.status().phase === 'revoked');
    expect((await go(nodes.one)).status).toBe(401);
  });

  test('is known by its new name, and unknown once it is unpaired, at every node', async () => {
    const first = await joined(ada, 'Attic');
    first.place[Symbol.dispose]();
    const find = (node: WholeNode, browser: Browser, named: string) =>
      api(node, browser, `/api/v1/devices/${named}`);
    for (const node of [nodes.one, nodes.two])
      expect(await (await find(node, ada, 'attic')).json()).toMatchObject({ id: first.id, name: 'Attic' });
    const body = JSON.stringify({ name: 'Loft' });
    expect((await api(nodes.two, ada, '/api/v1/devices/attic', { method: 'PATCH', body })).status).toBe(200);
    expect(await (await find(nodes.one, ada, 'attic')).json()).toMatchObject({ name: 'Loft' });

    expect((await api(nodes.two, ada, '/api/v1/devices/attic', { method: 'DELETE' })).status).toBe(204);
    expect((await find(nodes.one, ada, 'attic')).status).toBe(404);
    const second = await joined(bob, 'Attic');
    using _place = second.place;
    expect(second.handle).not.toBe('attic');
    await using agent = second.place.start({ services: web() });
    await until('it is connected', () => agent.status().phase === 'connected');
    const headers = { authorization: `Bearer ${await tokenFor(bob, second.id)}` };
    expect((await nodes.one.ask(`/d/${second.handle}/web/`, { headers })).status).toBe(200);
  });
});
