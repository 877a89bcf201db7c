import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { type DeviceKey, newDeviceKey } from '../../src/signatures/ed25519-key.ts';
import type { AppliancePorts } from '../support/appliance.ts';
import type { Browser } from '../support/browser.ts';
import { signInOwner } from '../support/first-owner.ts';
import { type Node, type Nodes, startNodes } from '../support/nodes.ts';
import { type PairedAnswer, proofOf } from '../support/pairing.ts';
import { craftRequest } from '../support/signed-request.ts';
import { until } from '../support/until.ts';

setDefaultTimeout(60_000);

const LIMIT = 6;
const toml = ({ port, metricsPort }: AppliancePorts) => `url = "http://localhost:${port}"
listen = "127.0.0.1:${port}"
metrics_listen = "127.0.0.1:${metricsPort}"
[sign_in]
attempts_per_account = ${LIMIT}
`;

const originOf = ({ port }: Nodes) => `http://localhost:${port}`;

/** A request as it was made for `url`, at one node past the balancer. */
function sendTo(node: Node, request: Request): Promise<Response> {
  const { pathname, search, host } = new URL(request.url);
  const headers = new Headers(request.headers);
  headers.set('host', host);
  return fetch(`http://127.0.0.1:${node.port}${pathname}${search}`, {
    method: request.method,
    headers,
    redirect: 'manual',
  });
}

async function codeOf(response: Response): Promise<string | number> {
  if (response.ok) return response.status;
  return ((await response.json()) as { code: string }).code;
}

interface Device {
  readonly key: DeviceKey;
  readonly sessionId: string;
}

async function pairDevice(nodes: Nodes, owner: Browser): Promise<Device> {
  const origin = originOf(nodes);
  const cookie = owner.cookies.header(new URL(origin));
  const made = await fetch(`${origin}/api/v1/pairings`, { method: 'POST', headers: { cookie, origin } });
  const { code } = (await made.json()) as { code: string };
  const key = newDeviceKey();
  const proof = proofOf(code, key, Math.floor(Date.now() / 1_000), origin);
  const redeemed = await fetch(`${origin}/api/v1/pairings/redeem`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ code, name: 'Kitchen', ...proof }),
  });
  if (redeemed.status !== 201) throw new Error(await redeemed.text());
  return { key, sessionId: ((await redeemed.json()) as PairedAnswer).session_id };
}

const signed = (nodes: Nodes, { key, sessionId }: Device) =>
  craftRequest(
    { method: 'GET', target: '/api/v1/device' },
    { key, sessionId, origin: originOf(nodes), now: Date.now() },
  );

function tryPassword(nodes: Nodes, node: Node, username: string): Promise<Response> {
  const origin = originOf(nodes);
  return fetch(`http://127.0.0.1:${node.port}/sign-in`, {
    method: 'POST',
    headers: { host: new URL(origin).host, origin, 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ username, password: 'a wrong guess' }).toString(),
    redirect: 'manual',
  });
}

describe('what two processes have to agree on', () => {
  let nodes: Nodes;
  let device: Device;
  beforeAll(async () => {
    nodes = await startNodes({ toml });
    device = await pairDevice(nodes, await signInOwner(nodes));
  });
  afterAll(() => nodes?.[Symbol.asyncDispose]());

  const stateOf = async (node: Node) => (await sendTo(node, new Request(`${originOf(nodes)}/readyz`))).status;

  test('a signed request is good at either, once', async () => {
    const [one, two] = nodes.nodes;
    // In the second of a start, and in that in which Redis has forgotten something, none does.
    const takesAt = async (node: Node) => (await sendTo(node, signed(nodes, device))).ok;
    for (const node of [one, two]) await until('it takes signatures', () => takesAt(node));
    for (const [first, second] of [
      [one, two],
      [two, one],
    ] as const) {
      const request = signed(nodes, device);
      const answers = [await sendTo(first, request), await sendTo(second, request)];
      expect(await Promise.all(answers.map(codeOf))).toEqual([200, 'signature_replayed']);
    }
    const raced = signed(nodes, device);
    const all = await Promise.all([one, two, one, two].map((node) => sendTo(node, raced)));
    expect(all.filter(({ ok }) => ok)).toHaveLength(1);
  });

  test('guesses at a password are counted together, wherever they come in', async () => {
    const [one, two] = nodes.nodes;
    const statuses = [];
    for (let i = 0; i < LIMIT + 2; i++)
      statuses.push((await tryPassword(nodes, i % 2 === 0 ? one : two, 'owner')).status);
    expect(statuses).toEqual([...Array.from({ length: LIMIT }, () => 401), 429, 429]);
    for (const key of await nodes.redis.client().keys('postern:limit:*')) {
      expect(key).not.toMatch(/owner|127/);
      expect(await nodes.redis.client().pttl(key)).toBeGreaterThan(0);
    }
  });

  test('while Redis is away nothing signed is taken, and afterwards nothing from before', async () => {
    const [one, two] = nodes.nodes;
    const before = signed(nodes, device);
    expect((await sendTo(one, before)).status).toBe(200);
    await nodes.redis.kill9();
    const answer = await sendTo(two, signed(nodes, device));
    expect([answer.status, await codeOf(answer)]).toEqual([503, 'store_unavailable']);
    const guesses = [];
    for (let i = 0; i < LIMIT + 1; i++) guesses.push((await tryPassword(nodes, one, 'somebody')).status);
    expect(guesses).toEqual([...Array.from({ length: LIMIT }, () => 401), 429]);
    await nodes.redis.restart();
    await until('both are ready again', async () => {
      const states = await Promise.all([one, two].map(stateOf));
      return states.every((status) => status === 200);
    });
    expect(await codeOf(await sendTo(two, before))).toStartWith('signature_');
    await until('what is signed anew counts', async () => (await sendTo(two, signed(nodes, device))).ok);
    expect(await codeOf(await sendTo(two, before))).toStartWith('signature_');
  });
});
