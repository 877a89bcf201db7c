import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test';
import { randomUUID } from 'node:crypto';
import { registerClient } from '../support/mcp-oauth.ts';
import { fixtureCommand, type McpSite, mcpTable, startMcpSite } from '../support/mcp-site.ts';
import { figureOf } from '../support/metrics-of.ts';
import { openFiles, processesWith, residentBytes } from '../support/processes.ts';
import { until } from '../support/until.ts';

/** Clients that come, open streams and go without a word. */

setDefaultTimeout(180_000);

const USERS = 20;
const CONNECTS = 50;
const ROUNDS = 2;
const IDLE_SECONDS = 5;
/** What all rounds may leave behind at rest: code that was loaded, sessions that are kept, the unrest of the allocator. */
const GROWTH_BYTES = 24 * 1_048_576;
const GROWTH_FILES = 8;

const mark = `mark-${randomUUID()}`;
let site: McpSite;
beforeAll(async () => {
  site = await startMcpSite({
    toml: `${mcpTable('plain', [...fixtureCommand('legacy-server'), mark])}
[mcp_server]
child_idle_timeout = "${IDLE_SECONDS}s"
child_reap_interval = "1s"
`,
  });
});
afterAll(() => site?.[Symbol.asyncDispose]());

/** One visit: initialize, a stream, a call; then the connection is cut, half-closed, or left as it is. */
async function visit(token: string, ending: 'cut' | 'half-closed' | 'left'): Promise<Bun.Socket> {
  const { promise: opened, resolve } = Promise.withResolvers<void>();
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
  };
  const post = (message: object, more: Record<string, string> = {}) =>
    fetch(site.resource('plain'), {
      method: 'POST',
      headers: { ...headers, ...more },
      // What our own client keeps open for later is not left behind by the server.
      keepalive: false,
      body: JSON.stringify({ jsonrpc: '2.0', ...message }),
    });
  const params = {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'churn', version: '1' },
  };
  const answer = await post({ id: 1, method: 'initialize', params });
  const session = answer.headers.get('mcp-session-id') ?? '';
  await answer.text();
  const socket = await Bun.connect({
    hostname: '127.0.0.1',
    port: site.appliance.port,
    allowHalfOpen: true,
    socket: { data: () => resolve(), close: () => resolve(), error: () => resolve() },
  });
  const { host } = new URL(site.origin);
  socket.write(
    `GET /mcp/plain HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${token}\r\nAccept: text/event-stream\r\nMcp-Session-Id: ${session}\r\n\r\n`,
  );
  await opened;
  const called = await post({ id: 2, method: 'tools/list' }, { 'mcp-session-id': session });
  expect(called.status).toBe(200);
  await called.text();
  if (ending === 'cut') socket.terminate();
  if (ending === 'half-closed') socket.end();
  return socket;
}

async function churn(tokens: readonly string[], connects: number): Promise<Bun.Socket[]> {
  const endings = ['cut', 'half-closed', 'left'] as const;
  const perUser = tokens.map(async (token) => {
    const sockets: Bun.Socket[] = [];
    for (let count = 0; count < connects; count++)
      sockets.push(await visit(token, endings[count % endings.length] ?? 'cut'));
    return sockets;
  });
  return (await Promise.all(perUser)).flat();
}

async function gauge(name: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${site.appliance.metricsPort}/metrics`)).text();
  const values = [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))];
  return values.reduce((sum, [, value]) => sum + Number(value), 0);
}

const sweeps = () =>
  figureOf(site.appliance.metricsPort, 'postern_loop_rounds_total{loop="mcp-children",outcome="success"}');

const childrenGone = () => until('every child to be reaped', () => processesWith(mark).length === 0);

test(`${USERS} users, ${CONNECTS} connects each, nothing left`, async () => {
  const clientId = await registerClient(site.origin, 'http://127.0.0.1/callback', 'churn');
  const tokens: string[] = [];
  for (let user = 0; user < USERS; user++)
    tokens.push((await site.person(`user-${user}`).connect('plain', clientId)).access_token);

  const { pid } = site.appliance.process;
  const before = { files: openFiles(pid), bytes: residentBytes(pid) };
  for (let round = 0; round < ROUNDS; round++) {
    const sockets = await churn(tokens, CONNECTS);
    expect(await gauge('postern_mcp_children')).toBe(USERS);
    // Streams that are merely open keep nothing alive.
    await childrenGone();
    for (const socket of sockets) socket.terminate();
    await until('the connections to be closed', () => openFiles(pid) <= before.files + GROWTH_FILES);
    expect(await gauge('postern_mcp_children')).toBe(0);
    await until('its memory to be what it was', () => residentBytes(pid) - before.bytes < GROWTH_BYTES);
  }
});

test('a child that was used a moment ago survives the sweep', async () => {
  const { access_token: token } = await site.person('busy').connect('plain');
  const socket = await visit(token, 'left');
  const [child] = processesWith(mark);
  // The sweeps of more than the idle time, with a visit between any two.
  for (let sweep = 0; sweep < IDLE_SECONDS + 3; sweep++) {
    (await visit(token, 'cut')).terminate();
    const before = await sweeps();
    await until('another sweep', async () => (await sweeps()) > before);
    expect(processesWith(mark)).toContain(child ?? 0);
  }
  socket.terminate();
  await childrenGone();
});
