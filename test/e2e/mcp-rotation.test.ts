import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test';
import { type Connect, connectClient, connectSdk } from '../support/mcp-sdk.ts';
import { type McpSite, mcpTable, serverCommand, startMcpSite } from '../support/mcp-site.ts';

/**
 * Tokens that live six seconds, under clients that never stop calling. `POSTERN_TEST_SWAPS=60` makes it the six minutes
 * that are promised; by default it is over after a few.
 */

const SWAPS = Number(process.env['POSTERN_TEST_SWAPS'] ?? 4);
const TOKEN_LIFE_SECONDS = 6;
const DAY_SECONDS = 86_400;
/** A long call of the server, in seconds; it outlives the token that it began with now and then. */
const LONG_CALL_SECONDS = 2;
const SWAP_PATIENCE_MS = 2 * TOKEN_LIFE_SECONDS * 1_000;

setDefaultTimeout(SWAPS * SWAP_PATIENCE_MS + 60_000);

let site: McpSite;
beforeAll(async () => {
  site = await startMcpSite({
    toml: mcpTable(
      'everything',
      serverCommand('everything'),
      'provider = "home"\n\n[mcp.env]\nUPSTREAM = "${upstream.access_token}"',
    ),
    providerToml: 'scopes = ["openid", "profile", "offline_access"]',
    providerConfiguration: {
      issueRefreshToken: () => true,
      ttl: {
        AccessToken: TOKEN_LIFE_SECONDS,
        AuthorizationCode: 60,
        Grant: DAY_SECONDS,
        IdToken: 3_600,
        Interaction: 3_600,
        RefreshToken: DAY_SECONDS,
        Session: DAY_SECONDS,
      },
    },
  });
});
afterAll(() => site?.[Symbol.asyncDispose]());

const CONNECTS: readonly (readonly [name: string, connect: Connect])[] = [
  ['legacy', connectSdk],
  ['modern', connectClient('auto')],
];

test(`${SWAPS} swaps, unnoticed by clients of both eras`, async () => {
  const runs = CONNECTS.map(async ([name, connect]) => {
    await using client = await connect(site, site.person(name), 'everything');
    const protocolSessionId = client.protocolSessionId;
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
