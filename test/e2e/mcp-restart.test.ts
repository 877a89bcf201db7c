import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test';
import { randomUUID } from 'node:crypto';
import { connectSdk } from '../support/mcp-sdk.ts';
import { fixtureCommand, type McpSite, mcpTable, startMcpSite } from '../support/mcp-site.ts';
import { processesWith } from '../support/processes.ts';
import { until } from '../support/until.ts';

/** What a sudden end of the appliance leaves behind: protocol sessions that go on, and no process. */

setDefaultTimeout(90_000);

/** Children of an old life are gone this long after the new one is ready. */
const GONE_WITHIN_MS = 5_000;
const LOAD = 8;

const mark = `mark-${randomUUID()}`;
let site: McpSite;
beforeAll(async () => {
  const plain = mcpTable('plain', [...fixtureCommand('legacy-server'), mark]);
  const stubborn = mcpTable('stubborn', [...fixtureCommand('stubborn-server'), mark]);
  site = await startMcpSite({ toml: plain + stubborn });
});
afterAll(() => site?.[Symbol.asyncDispose]());

const echo = 'test_simple_text';
const isUp = () =>
  fetch(`${site.origin}/healthz`).then(
    ({ ok }) => ok,
    () => false,
  );

test.each(['plain', 'stubborn'])('kill -9 under load, behind it a server that is %s', async (backend) => {
  await using client = await connectSdk(site, site.person(backend), backend);
  const before = client.protocolSessionId;
  await client.call(echo);

  const calm = new AbortController();
  const load = Array.from({ length: LOAD }, async () => {
    while (!calm.signal.aborted) await client.call(echo).catch(() => until('somebody to listen', isUp));
  });
  const old = processesWith(mark);
  expect(old.length).toBeGreaterThan(0);
  await site.appliance.stop('SIGKILL');
  await site.appliance.start();
  const readyAt = performance.now();
  await until('the processes of the old life to go', () => {
    const alive = new Set(processesWith(mark));
    return !old.some((pid) => alive.has(pid));
  });
  expect(performance.now() - readyAt).toBeLessThan(GONE_WITHIN_MS);
  calm.abort();
  await Promise.all(load);

  expect(await client.call(echo)).toContain('simple text');
  expect(client.protocolSessionId).toBe(before);
  expect(client.authorizations).toBe(1);
});

test('an orderly end leaves no child either', async () => {
  await using client = await connectSdk(site, site.person('orderly'), 'stubborn');
  await client.call(echo);
  expect(processesWith(mark).length).toBeGreaterThan(0);
  const { exitCode } = await site.appliance.stop();
  expect(exitCode).toBe(0);
  await until('every child to go', () => processesWith(mark).length === 0);
  await site.appliance.start();
  expect(await client.call(echo)).toContain('simple text');
});
