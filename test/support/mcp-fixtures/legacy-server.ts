import {
  ASKING_PROMPT,
  ASKING_TOOLS,
  type Asks,
  CAPABILITY_ASKS,
  CAPABILITY_TOOL,
  PROMPT_ASKS,
} from './asks.ts';
import * as content from './content.ts';
import type { Json } from './json-lines.ts';
import * as rpc from './json-lines.ts';
import { LEVELS, withLogging, withProgress } from './long-tools.ts';

/**
 * `bun legacy-server.ts [--stay]`: an MCP server on stdio as most are, written against 2025-11-25 and older. It has never
 * heard of 2026-07-28: whatever a client of that revision gets from it is the appliance's doing. With `--stay` it outlives
 * the end of its input and SIGTERM.
 */

const VERSIONS = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'];
const RESOURCE_NOT_FOUND = -32_002;
/** How this server names its questions for whoever shows them (see docs/guides/mcp-servers.md). */
const INPUT_NAME = 'postern/input-name';

let level = 'info';
let lastAsk = 0;
let initialized = false;
const asked = new Map<unknown, PromiseWithResolvers<Json>>();
const subscriptions = new Set<unknown>();

const notify = (method: string, params: Json = {}) => rpc.send({ method, params });

/** A question to the client. @throws Refusal what the client answered. */
function ask(name: string, { method, params }: Json): Promise<Json> {
  const id = `ask-${++lastAsk}`;
  const answer = Promise.withResolvers<Json>();
  asked.set(id, answer);
  const own = rpc.isObject(params) ? params : {};
  rpc.send({ id, method, params: { ...own, _meta: { [INPUT_NAME]: name } } });
  return answer.promise;
}

async function askAll(asks: Asks): Promise<Json> {
  const answers = Object.entries(asks).map(
    async ([name, request]) => [name, await ask(name, request)] as const,
  );
  return Object.fromEntries(await Promise.all(answers));
}

async function callAsking(name: string, given: Json): Promise<Json> {
  let answers: Json = {};
  for (const round of ASKING_TOOLS[name]?.(given) ?? []) answers = { ...answers, ...(await askAll(round)) };
  return content.saidOfAnswers(name, answers);
}

/** Goes on without what the client cannot do. */
async function callWithWhatThereIs(): Promise<Json> {
  const answers = await Promise.allSettled(
    Object.entries(CAPABILITY_ASKS).map(([name, request]) => ask(name, request)),
  );
  return content.said(`answers: ${answers.filter(({ status }) => status === 'fulfilled').length}`);
}

const changed = (what: string): Json => {
  notify(`notifications/${what}/list_changed`);
  return content.said('changed');
};

type Tool = (given: Json, meta: Json) => Json | Promise<Json>;

const TOOLS: Readonly<Record<string, Tool>> = {
  ...Object.fromEntries(Object.entries(content.PLAIN_TOOLS).map(([name, result]) => [name, () => result])),
  ...Object.fromEntries(
    Object.keys(ASKING_TOOLS).map((name) => [name, (given: Json) => callAsking(name, given)]),
  ),
  [CAPABILITY_TOOL]: callWithWhatThereIs,
  test_tool_with_logging: () => withLogging(() => level),
  test_logging_tool: () => withLogging(() => level),
  test_tool_with_progress: (_given, { progressToken }) => withProgress(progressToken),
  test_trigger_tool_change: () => changed('tools'),
  test_trigger_prompt_change: () => changed('prompts'),
  json_schema_2020_12_tool: (given) => content.said(JSON.stringify(given)),
};

async function prompt({ name, arguments: given }: Json): Promise<Json> {
  if (name !== ASKING_PROMPT) return content.getPrompt(name, given);
  const answers = await askAll(PROMPT_ASKS);
  return { messages: [content.user(content.text(JSON.stringify(answers)))] };
}

function initialize({ protocolVersion }: Json): Json {
  initialized = true;
  return {
    protocolVersion: VERSIONS.includes(String(protocolVersion)) ? protocolVersion : VERSIONS[0],
    capabilities: {
      tools: { listChanged: true },
      prompts: { listChanged: true },
      resources: { subscribe: true, listChanged: true },
      logging: {},
      completions: {},
    },
    serverInfo: { name: 'legacy-fixture', version: '1.0.0' },
    instructions: 'Everything here is made up.',
  };
}

const METHODS: Readonly<Record<string, (params: Json) => Json | Promise<Json>>> = {
  ...Object.fromEntries(Object.entries(content.LISTS).map(([method, list]) => [method, () => list])),
  initialize,
  ping: () => ({}),
  'logging/setLevel': (params) => {
    if (!LEVELS.includes(String(params['level']))) throw new rpc.Refusal(rpc.INVALID_PARAMS, 'Unknown level');
    level = String(params['level']);
    return {};
  },
  'completion/complete': content.complete,
  'tools/list': () => ({ tools: content.toolList(Object.keys(TOOLS)) }),
  'tools/call': ({ name, arguments: given, _meta: meta }) => {
    const tool = TOOLS[String(name)];
    if (tool === undefined) throw new rpc.Refusal(rpc.INVALID_PARAMS, 'Unknown tool');
    return tool(rpc.objectOf(given), rpc.objectOf(meta));
  },
  'resources/read': ({ uri }) => content.readResource(uri, RESOURCE_NOT_FOUND),
  'resources/subscribe': ({ uri }) => {
    subscriptions.add(uri);
    return {};
  },
  'resources/unsubscribe': ({ uri }) => {
    subscriptions.delete(uri);
    return {};
  },
  'prompts/get': prompt,
};

async function answer(id: unknown, method: string, params: Json): Promise<void> {
  try {
    const run = METHODS[method];
    if (run === undefined) throw new rpc.Refusal(rpc.METHOD_NOT_FOUND, 'Method not found');
    if (!initialized && method !== 'initialize' && method !== 'ping')
      throw new rpc.Refusal(-32_000, 'Not initialized');
    rpc.send({ id, result: await run(params) });
  } catch (error) {
    rpc.send({ id, error: rpc.errorOf(error) });
  }
}

function answered({ id, result, error }: Json): void {
  const waiting = asked.get(id);
  asked.delete(id);
  if (!rpc.isObject(error)) return waiting?.resolve(rpc.objectOf(result));
  waiting?.reject(new rpc.Refusal(Number(error['code']), String(error['message']), error['data']));
}

if (process.argv.includes('--stay')) {
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
  setInterval(() => undefined, 60_000);
}

await rpc.receive((message) => {
  const { id, method, params } = message;
  if (typeof method !== 'string') return answered(message);
  if (id !== undefined) void answer(id, method, rpc.objectOf(params));
});
