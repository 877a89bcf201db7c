import { expect, setDefaultTimeout, test } from 'bun:test';
import { randomUUID } from 'node:crypto';
import { connectSdk } from '../support/mcp-sdk.ts';
import { fixtureCommand, type McpSite, mcpTable, startMcpSiteAs } from '../support/mcp-site.ts';
import { type Nodes, startNodes } from '../support/nodes.ts';
import { processesWith } from '../support/processes.ts';
import { until } from '../support/until.ts';

/** MCP servers run at one node; people and their programs do everything else at any. */

setDefaultTimeout(90_000);

const ECHO = 'test_simple_text';
const isAnswer = (text: string) => text.includes('simple text');

/** Two nodes and a backend, whose processes are told from those of other tests by `mark`. */
async function open(): Promise<{ mark: string; site: McpSite<Nodes> }> {
  const mark = `mark-${randomUUID()}`;
  const toml = mcpTable('plain', [...fixtureCommand('legacy-server'), mark]);
  return { mark, site: await startMcpSiteAs({ toml }, startNodes) };
}

test('what a person ends at another node ends the server at the broker', async () => {
  const { mark, site } = await open();
  await using _site = site;
  const person = site.person('ender');
  await using client = await connectSdk(site, person, 'plain');
  expect(await client.call(ECHO)).toContain('simple text');
  const [one, two] = site.appliance.nodes;
  const ask = (port: number, init: RequestInit = {}, path = '/api/v1/connected-apps') =>
    fetch(`http://127.0.0.1:${port}${path}`, {
      ...init,
      headers: {
        host: new URL(site.origin).host,
        origin: site.origin,
        cookie: person.browser.cookies.header(new URL(site.origin)),
      },
    });
  expect(await (await ask(one.port)).json()).toMatchObject({ apps: [{ backend: 'plain', children: [{}] }] });
  expect(await (await ask(two.port)).json()).toMatchObject({ apps: [{ backend: 'plain', children: null }] });
  const pageAt = async (port: number) => (await ask(port, {}, '/account/apps')).text();
  expect(await pageAt(one.port)).toContain('process ');
  expect(await pageAt(two.port)).toContain('only the node <strong class="any">one</strong> can tell');
  expect(processesWith(mark)).not.toEqual([]);
  expect((await ask(two.port, { method: 'DELETE' })).status).toBe(200);
  await until('the server to go', () => processesWith(mark).length === 0);
});

test('when the broker is killed, the next one ends what it left and goes on with its clients', async () => {
  const { mark, site } = await open();
  await using _site = site;
  const [one, two] = site.appliance.nodes;
  await using client = await connectSdk(site, site.person('stayer'), 'plain');
  await client.call(ECHO);
  const before = client.protocolSessionId;
  const old = processesWith(mark);
  expect(old.length).toBeGreaterThan(0);

  await one.stop('SIGKILL');
  await two.stop();
  await two.start('broker,hub');
  await until('what the dead one left to go', () => {
    const alive = new Set(processesWith(mark));
    return !old.some((pid) => alive.has(pid));
  });
  // The balancer has to find out first which of its connections are dead.
  await until('a call to come through', () => client.call(ECHO).then(isAnswer, () => false));
  const others = processesWith(mark);
  await one.start('');
  expect(processesWith(mark)).toEqual(others);
  expect(await client.call(ECHO)).toContain('simple text');
  expect(client.protocolSessionId).toBe(before);
  expect(client.authorizations).toBe(1);
});
