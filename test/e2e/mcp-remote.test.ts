import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test';
import { postModern } from '../support/mcp-http.ts';
import { startMcpRemote } from '../support/mcp-remote-client.ts';
import { CLIENTS } from '../support/mcp-sdk.ts';
import { type McpSite, mcpTable, serverCommand, startMcpSite } from '../support/mcp-site.ts';
import { until } from '../support/until.ts';

/** `mcp-remote` on the compiled program, and clients whose access token does not last. */

setDefaultTimeout(90_000);

const TOKEN_LIFE = '2s';

let site: McpSite;
beforeAll(async () => {
  site = await startMcpSite({
    toml: `${mcpTable('everything', serverCommand('everything'), '[mcp.env]\nWHO = "${user.username}"')}
[sessions]
access_token_lifetime = "${TOKEN_LIFE}"
`,
  });
});
afterAll(() => site?.[Symbol.asyncDispose]());

const hasEnded = async (token: string) => {
  const answer = await postModern(site.resource('everything'), token, 'tools/call', {
    name: 'echo',
    arguments: { message: 'hello' },
  });
  await answer.text();
  return answer.status === 401;
};
const textOf = (result: object) => (result as { content: { text: string }[] }).content[0]?.text ?? '';

test('a client on stdio reaches a server through mcp-remote', async () => {
  await using remote = await startMcpRemote(site, site.person('ada'), 'everything');
  const { client } = remote;
  const { tools } = await client.listTools();
  expect(tools.map(({ name }) => name)).toContain('echo');
  const numbers = Array.from({ length: 50 }, (_, index) => index);
  const answers = await Promise.all(
    numbers.map((n) => client.callTool({ name: 'echo', arguments: { message: `number ${n}` } })),
  );
  expect(answers.map(textOf)).toEqual(numbers.map((n) => `Echo: number ${n}`));
  const seen: number[] = [];
  const given = { duration: 0.3, steps: 3 };
  await client.callTool(
    { name: 'trigger-long-running-operation', arguments: given },
    { onprogress: ({ progress }) => void seen.push(progress) },
  );
  // Its stdio client forgets who wanted progress when the result is read in the same turn.
  expect(seen.slice(0, 2)).toEqual([1, 2]);
  const token = remote.accessToken();
  await until('its access token to end', () => hasEnded(token));
  expect(textOf(await client.callTool({ name: 'get-env' }))).toContain('"WHO": "ada"');
});

test.each(CLIENTS)('%s refreshes its access token by itself', async (_name, _era, connect) => {
  await using client = await connect(site, site.person('kim'), 'everything');
  const first = client.tokens();
  const protocolSessionId = client.protocolSessionId;
  await until('its access token to end', () => hasEnded(first?.access_token ?? ''));
  const given = Array.from({ length: 10 }, (_, index) => `number ${index}`);
  const answers = await Promise.all(given.map((message) => client.call('echo', { message })));
  expect(answers).toEqual(given.map((message) => `Echo: ${message}`));
  expect(client.tokens()?.refresh_token).not.toBe(first?.refresh_token ?? '');
  expect(client.authorizations).toBe(1);
  expect(client.protocolSessionId).toBe(protocolSessionId);
});
