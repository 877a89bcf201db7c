import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { errorOf } from '../support/error-of.ts';
import { postModern } from '../support/mcp-http.ts';
import {
  CLIENTS,
  connectClient,
  connectSdk,
  ELICITED,
  type McpClient,
  ROOT,
  SAMPLED,
} from '../support/mcp-sdk.ts';
import { fixtureCommand, type McpSite, mcpTable, serverCommand, startMcpSite } from '../support/mcp-site.ts';
import { until } from '../support/until.ts';

/** Real clients and real servers on the compiled program, through the whole OAuth flow. */

setDefaultTimeout(60_000);

/** Isolated children have a `/tmp` of their own. */
const BACKENDS = [
  mcpTable('everything', serverCommand('everything'), '[mcp.env]\nWHO = "${user.username}"'),
  mcpTable('files', serverCommand('filesystem', '/tmp')),
  mcpTable('memory', serverCommand('memory'), '[mcp.env]\nMEMORY_FILE_PATH = "/tmp/memory.jsonl"'),
  mcpTable('fixture', fixtureCommand('legacy-server')),
  mcpTable('modern', fixtureCommand('modern-server')),
].join('\n');

let site: McpSite;
beforeAll(async () => {
  site = await startMcpSite({ toml: BACKENDS });
});
afterAll(() => site?.[Symbol.asyncDispose]());

let people = 0;
const somebody = () => site.person(`person-${++people}`);
const heardOf = ({ heard }: McpClient, method: string) => heard.filter((each) => each.method === method);

describe.each(CLIENTS)('%s', (_name, era, connect) => {
  test('signs in, consents, and calls a tool', async () => {
    await using client = await connect(site, somebody(), 'everything');
    expect(client.authorizations).toBe(1);
    expect(client.protocolVersion).toBe(era === 'modern' ? '2026-07-28' : '2025-11-25');
    expect(client.protocolSessionId === undefined).toBe(era === 'modern');
    expect(await client.tools()).toContain('echo');
    expect(await client.call('echo', { message: 'hello' })).toBe('Echo: hello');
    expect(await errorOf(client.call('get-sum', { a: 'one', b: 2 }))).toBeInstanceOf(Error);
  });

  test('sees progress, sampling, elicitation and roots of a server', async () => {
    await using client = await connect(site, somebody(), 'everything');
    const seen: number[] = [];
    const given = { duration: 0.3, steps: 3 };
    const text = await client.call('trigger-long-running-operation', given, {
      onProgress: (progress) => seen.push(progress),
    });
    expect(text).toContain('completed');
    expect(seen).toEqual([1, 2, 3]);
    expect(await client.call('trigger-sampling-request', { prompt: 'a line' })).toContain(SAMPLED);
    expect(await client.call('trigger-elicitation-request')).toContain(ELICITED.name);
    await using plain = await connect(site, somebody(), 'fixture');
    expect(await plain.call('test_input_required_result_list_roots')).toContain(ROOT);
  });

  test.each(['fixture', 'modern'])('hears what the %s server logs while it works', async (backend) => {
    await using client = await connect(site, somebody(), backend);
    if (era === 'legacy') await client.setLogLevel('info');
    const meta = era === 'modern' ? { 'io.modelcontextprotocol/logLevel': 'info' } : {};
    await client.call('test_tool_with_logging', {}, { meta });
    await until('three log messages', () => heardOf(client, 'notifications/message').length === 3);
    const texts = heardOf(client, 'notifications/message').map(({ params }) => params['data']);
    expect(texts).toEqual(['Tool execution started', 'Tool processing data', 'Tool execution completed']);
  });

  test('hears of a resource that it subscribed to', async () => {
    await using client = await connect(site, somebody(), 'everything');
    const uri = 'demo://resource/static/document/architecture.md';
    await client.watch(uri);
    await client.call('toggle-subscriber-updates');
    const updates = () => heardOf(client, 'notifications/resources/updated');
    await until('an update', () => updates().length > 0);
    expect(updates()[0]?.params['uri']).toBe(uri);
    await client.call('toggle-subscriber-updates');
  });

  test('calls a long call off, and goes on', async () => {
    await using client = await connect(site, somebody(), 'everything');
    const controller = new AbortController();
    const given = { duration: 60, steps: 600 };
    const { signal } = controller;
    const running = client.call('trigger-long-running-operation', given, {
      signal,
      onProgress: () => controller.abort(),
    });
    expect(await errorOf(running)).toBeInstanceOf(Error);
    expect(await client.call('echo', { message: 'still here' })).toBe('Echo: still here');
  });

  test('makes 50 calls at once, and each gets its own answer', async () => {
    await using client = await connect(site, somebody(), 'everything');
    const numbers = Array.from({ length: 50 }, (_, index) => index);
    const answers = await Promise.all(numbers.map((n) => client.call('echo', { message: `number ${n}` })));
    expect(answers).toEqual(numbers.map((n) => `Echo: number ${n}`));
  });

  test('works with server-filesystem and server-memory', async () => {
    const person = somebody();
    await using files = await connect(site, person, 'files');
    await files.call('write_file', { path: '/tmp/note.txt', content: 'remember the milk' });
    expect(await files.call('read_text_file', { path: '/tmp/note.txt' })).toBe('remember the milk');
    await using memory = await connect(site, person, 'memory');
    const entities = [{ name: 'Ada', entityType: 'person', observations: ['likes tea'] }];
    await memory.call('create_entities', { entities });
    expect(await memory.call('read_graph')).toContain('likes tea');
  });
});

test('two clients of one person have a child each', async () => {
  const person = somebody();
  await using one = await connectClient('auto')(site, person, 'memory');
  await using other = await connectSdk(site, person, 'memory');
  const entities = [{ name: 'Kim', entityType: 'person', observations: ['likes coffee'] }];
  await one.call('create_entities', { entities });
  expect(await one.call('read_graph')).toContain('likes coffee');
  expect(await other.call('read_graph')).not.toContain('likes coffee');
});

test('two people at once are each themselves', async () => {
  const [ada, kim] = [site.person('ada'), site.person('kim')];
  const clients = await Promise.all([
    connectClient('auto')(site, ada, 'everything'),
    connectSdk(site, kim, 'everything'),
  ]);
  await using one = clients[0];
  await using other = clients[1];
  const who = async (client: McpClient) => /"WHO": "([^"]+)"/.exec(await client.call('get-env'))?.[1];
  const asked = Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? one : other));
  const answers = await Promise.all(asked.map(who));
  expect(answers).toEqual(asked.map((client) => (client === one ? 'ada' : 'kim')));
});

test('a token of one server opens no other, and neither does one of another person the session', async () => {
  const person = somebody();
  await using client = await connectSdk(site, person, 'everything');
  const token = client.tokens()?.access_token ?? '';
  const post = (backend: string, bearer: string, protocolSessionId?: string) =>
    fetch(site.resource(backend), {
      method: 'POST',
      headers: {
        authorization: `Bearer ${bearer}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...(protocolSessionId !== undefined && { 'mcp-session-id': protocolSessionId }),
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
    });
  expect((await post('memory', token)).status).toBe(401);
  const stranger = await somebody().connect('everything');
  const stolen = await post('everything', stranger.access_token, client.protocolSessionId);
  const unknown = await post('everything', stranger.access_token, 'never-heard-of');
  expect([stolen.status, await stolen.text()]).toEqual([unknown.status, await unknown.text()]);
  expect(unknown.status).toBe(404);
});

test.each(['fixture', 'modern'])(
  'a question of the %s server has its name, by which it is answered early or late',
  async (backend) => {
    const { access_token: token } = await somebody().connect(backend);
    const call = async (more: Record<string, unknown>) => {
      const params = { name: 'test_input_required_result_elicitation', arguments: {}, ...more };
      const response = await postModern(site.resource(backend), token, 'tools/call', params);
      const { result } = (await response.json()) as { result: Record<string, unknown> };
      return result;
    };
    const inputResponses = { user_name: { action: 'accept', content: { name: 'Ada' } } };
    const asked = await call({});
    expect(asked['resultType']).toBe('input_required');
    expect(Object.keys(asked['inputRequests'] ?? {})).toEqual(['user_name']);
    const late = await call({ inputResponses, requestState: asked['requestState'] });
    const early = await call({ inputResponses: { ...inputResponses, nobody_asked: { action: 'decline' } } });
    expect(early['resultType']).toBe('complete');
    expect(early['content']).toEqual(late['content']);
  },
);
