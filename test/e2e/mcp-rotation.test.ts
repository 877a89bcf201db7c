import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test';
import { type Connect, connectClient, connectSdk, type Heard } from '../support/mcp-sdk.ts';
import { type McpSite, mcpTable, serverCommand, startMcpSite } from '../support/mcp-site.ts';
import { GIVEN_THE_TOKEN, SHORT_LIVED_TOKENS, TOKEN_LIFE_SECONDS } from '../support/short-lived-tokens.ts';
import { until } from '../support/until.ts';

/**
 * Tokens that live six seconds, under clients that never stop calling. Each is replaced when half its life is over, so that
 * `POSTERN_TEST_SWAPS=120` takes the six minutes that are promised; by default it is over after a few.
 */

const SWAPS = Number(process.env['POSTERN_TEST_SWAPS'] ?? 4);
/** A long call of the server, in seconds; it outlives the token that it began with now and then. */
const LONG_CALL_SECONDS = 2;
const SWAP_PATIENCE_MS = 2 * TOKEN_LIFE_SECONDS * 1_000;

setDefaultTimeout(SWAPS * SWAP_PATIENCE_MS + 60_000);

let site: McpSite;
beforeAll(async () => {
  site = await startMcpSite({
    toml: mcpTable('everything', serverCommand('everything'), GIVEN_THE_TOKEN),
    ...SHORT_LIVED_TOKENS,
  });
});
afterAll(() => site?.[Symbol.asyncDispose]());

const CONNECTS: readonly (readonly [name: string, connect: Connect])[] = [
  ['legacy', connectSdk],
  ['modern', connectClient('auto')],
];

const RESOURCE = 'demo://resource/static/document/architecture.md';
const isUpdate = ({ method, params }: Heard) =>
  method === 'notifications/resources/updated' && params['uri'] === RESOURCE;

test(`${SWAPS} swaps, unnoticed by clients of both eras and their streams`, async () => {
  const runs = CONNECTS.map(async ([name, connect]) => {
    await using client = await connect(site, site.person(name), 'everything');
    const protocolSessionId = client.protocolSessionId;
    await client.watch(RESOURCE);
    await until(`${name}: its stream is open`, () => client.streamsOpened === 1);
    const seen = new Set<string>();
    const over = new AbortController();
    const long = async () => {
      while (!over.signal.aborted)
        await client.call('trigger-long-running-operation', { duration: LONG_CALL_SECONDS, steps: 4 });
    };
    const short = async () => {
      while (seen.size <= SWAPS) {
        const environment = JSON.parse(await client.call('get-env')) as { UPSTREAM: string };
        seen.add(environment.UPSTREAM);
        await client.call('echo', { message: 'go on' });
      }
      over.abort();
    };
    await Promise.all([short(), long()]);
    // The stream of before the first swap carries what the newest server says.
    await client.call('toggle-subscriber-updates');
    await until(`${name}: an update is heard`, () => client.heard.some(isUpdate));
    expect(client.streamsOpened).toBe(1);
    expect(client.protocolSessionId).toBe(protocolSessionId);
    expect(client.authorizations).toBe(1);
    return seen.size;
  });
  for (const tokens of await Promise.all(runs)) expect(tokens).toBeGreaterThan(SWAPS);
});

test('kill -9 again and again loses no refresh token', async () => {
  await using client = await connectSdk(site, site.person('unlucky'), 'everything');
  const token = async () => (JSON.parse(await client.call('get-env')) as { UPSTREAM: string }).UPSTREAM;
  const seen = new Set([await token()]);
  for (let kills = 0; kills < 3; kills++) {
    // Long enough for a refresh to be due when the end comes, or under way.
    await client.call('trigger-long-running-operation', { duration: 2.9 + kills / 20, steps: 1 });
    await site.appliance.restart('SIGKILL');
    seen.add(await token());
  }
  expect(client.authorizations).toBe(1);
  expect(seen.size).toBeGreaterThan(2);
});
