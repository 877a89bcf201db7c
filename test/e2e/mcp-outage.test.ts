import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test';
import { randomUUID } from 'node:crypto';
import { postModern } from '../support/mcp-http.ts';
import { type McpSite, mcpTable, serverCommand, startMcpSite } from '../support/mcp-site.ts';
import { processesWith } from '../support/processes.ts';
import { GIVEN_THE_TOKEN, SHORT_LIVED_TOKENS, TOKEN_LIFE_SECONDS } from '../support/short-lived-tokens.ts';
import { until } from '../support/until.ts';

/** A provider that goes away, comes back, and has forgotten everybody. */

setDefaultTimeout(90_000);

const mark = `mark-${randomUUID()}`;
let site: McpSite;
beforeAll(async () => {
  site = await startMcpSite({
    toml: `${mcpTable('everything', serverCommand('everything', 'stdio', mark), GIVEN_THE_TOKEN)}
[upstream]
retry_longest = "2s"
`,
    ...SHORT_LIVED_TOKENS,
  });
});
afterAll(() => site?.[Symbol.asyncDispose]());

const call = (token: string) =>
  postModern(site.resource('everything'), token, 'tools/call', {
    name: 'echo',
    arguments: { message: 'hello' },
  });

test('an outage costs nobody anything while the token is good; a grant that is gone ends in a clean 401', async () => {
  const { access_token: token } = await site.person('ada').connect('everything');
  expect((await call(token)).status).toBe(200);
  const stoppedAt = performance.now();
  await site.stopProvider();

  const statuses: number[] = [];
  let last: Response | undefined;
  await until('the token to end', async () => {
    last = await call(token);
    statuses.push(last.status);
    await last.text();
    return last.status !== 200;
  });
  expect(last?.status).toBe(503);
  expect(Number(last?.headers.get('retry-after'))).toBeGreaterThan(0);
  // The token was refreshed at the latest when half its life was over.
  expect(performance.now() - stoppedAt).toBeGreaterThan((TOKEN_LIFE_SECONDS / 2 - 1) * 1_000);

  await site.startProvider();
  await until('the grant to be ended', async () => {
    last = await call(token);
    await last.text();
    return last.status === 401;
  });
  const challenge = last?.headers.get('www-authenticate') ?? '';
  expect(challenge.match(/resource_metadata=/g)).toHaveLength(1);
  expect(challenge.match(/scope="mcp:everything"/g)).toHaveLength(1);
  await until('its child to go', () => processesWith(mark).length === 0);
});
