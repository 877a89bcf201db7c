import {
  ASKING_PROMPT,
  ASKING_TOOLS,
  type Asks,
  CAPABILITY_ASKS,
  CAPABILITY_TOOL,
  PROMPT_ASKS,
} from './asks.ts';
import {
  complete,
  getPrompt,
  PLAIN_TOOLS,
  PROMPTS,
  RESOURCES,
  readResource,
  said,
  TEMPLATES,
  text,
  toolList,
  user,
} from './content.ts';
import {
  errorOf,
  INVALID_PARAMS,
  isObject,
  type Json,
  METHOD_NOT_FOUND,
  Refusal,
  receive,
  send,
} from './json-lines.ts';

/**
 * `bun legacy-server.ts [--stay]`: an MCP server on stdio as most are, written against 2025-11-25 and older. It has never
 * heard of 2026-07-28: whatever a client of that revision gets from it is the appliance's doing. With `--stay` it outlives
 * the end of its input and SIGTERM.
 */

const VERSIONS = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'];
const RESOURCE_NOT_FOUND = -32_002;
const LEVELS = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency'];
/** Pauses of tools that take their time, in milliseconds: the referee's scenarios ask for real ones between two messages. */
const STEP_MS = 50;
/** How this server names its questions for whoever shows them (see docs/guides/mcp-servers.md). */
const INPUT_NAME = 'postern/input-name';

let level = 'info';
let lastAsk = 0;
let initialized = false;
const asked = new Map<unknown, PromiseWithResolvers<Json>>();
const subscriptions = new Set<unknown>();

const notify = (method: string, params: Json = {}) => send({ method, params });
const log = (at: string, data: string) => {
  if (LEVELS.indexOf(at) >= LEVELS.indexOf(level))
    notify('notifications/message', { level: at, logger: 'fixture', data });
};

/** A question to the client. @throws Refusal what the client answered. */
function ask(name: string, { method, params }: Json): Promise<Json> {
  const id = `ask-${++lastAsk}`;
  const answer = Promise.withResolvers<Json>();
  asked.set(id, answer);
  const own = isObject(params) ? params : {};
  send({ id, method, params: { ...own, _meta: { [INPUT_NAME]: name } } });
  return answer.promise;
}

async function askAll(asks: Asks): Promise<Json> {
  const answers = Object.entries(asks).map(
    async ([name, request]) => [name, await ask(name, request)] as const,
  );
  return Object.fromEntries(await Promise.all(answers));
}

const LINES: Readonly<Record<string, string>> = {
  test_sampling: 'LLM response',
  test_elicitation: 'User response',
};

async function callAsking(name: string, given: Json): Promise<Json> {
  let answers: Json = {};
  for (const round of ASKING_TOOLS[name]?.(given) ?? []) answers = { ...answers, ...(await askAll(round)) };
  return said(`${LINES[name] ?? 'state-ok'}: ${JSON.stringify(answers)}`);
}

/** Goes on without what the client cannot do. */
async function callWithWhatThereIs(): Promise<Json> {
  const answers = await Promise.allSettled(
    Object.entries(CAPABILITY_ASKS).map(([name, request]) => ask(name, request)),
  );
  return said(`answers: ${answers.filter(({ status }) => status === 'fulfilled').length}`);
}

async function withLogging(): Promise<Json> {
  log('info', 'Tool execution started');
  await Bun.sleep(STEP_MS);
  log('info', 'Tool processing data');
  await Bun.sleep(STEP_MS);
  log('info', 'Tool execution completed');
  return said('Tool with logging executed');
}

async function withProgress(token: unknown): Promise<Json> {
  for (const progress of [0, 50, 100]) {
    if (token !== undefined) notify('notifications/progress', { progressToken: token, progress, total: 100 });
    if (progress < 100) await Bun.sleep(STEP_MS);
  }
  return said('Tool with progress executed');
}

const changed = (what: string): Json => {
  notify(`notifications/${what}/list_changed`);
  return said('changed');
};

type Tool = (given: Json, meta: Json) => Json | Promise<Json>;

const TOOLS: Readonly<Record<string, Tool>> = {
  ...Object.fromEntries(Object.entries(PLAIN_TOOLS).map(([name, result]) => [name, () => result])),
  ...Object.fromEntries(
    Object.keys(ASKING_TOOLS).map((name) => [name, (given: Json) => callAsking(name, given)]),
  ),
  [CAPABILITY_TOOL]: callWithWhatThereIs,
  test_tool_with_logging: withLogging,
  test_logging_tool: withLogging,
  test_tool_with_progress: (_given, { progressToken }) => withProgress(progressToken),
  test_trigger_tool_change: () => changed('tools'),
  test_trigger_prompt_change: () => changed('prompts'),
  json_schema_2020_12_tool: (given) => said(JSON.stringify(given)),
};

async function prompt({ name, arguments: given }: Json): Promise<Json> {
  if (name !== ASKING_PROMPT) return getPrompt(name, given);
  const answers = await askAll(PROMPT_ASKS);
  return { messages: [user(text(JSON.stringify(answers)))] };
}

const objectOf = (value: unknown): Json => (isObject(value) ? value : {});

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
  initialize,
  ping: () => ({}),
  'logging/setLevel': (params) => {
    if (!LEVELS.includes(String(params['level']))) throw new Refusal(INVALID_PARAMS, 'Unknown level');
    level = String(params['level']);
    return {};
  },
  'completion/complete': complete,
  'tools/list': () => ({ tools: toolList(Object.keys(TOOLS)) }),
  'tools/call': ({ name, arguments: given, _meta: meta }) => {
    const tool = TOOLS[String(name)];
    if (tool === undefined) throw new Refusal(INVALID_PARAMS, 'Unknown tool');
    return tool(objectOf(given), objectOf(meta));
  },
  'resources/list': () => ({ resources: RESOURCES }),
  'resources/templates/list': () => ({ resourceTemplates: TEMPLATES }),
  'resources/read': ({ uri }) => readResource(uri, RESOURCE_NOT_FOUND),
  'resources/subscribe': ({ uri }) => {
    subscriptions.add(uri);
    return {};
  },
  'resources/unsubscribe': ({ uri }) => {
    subscriptions.delete(uri);
    return {};
  },
  'prompts/list': () => ({ prompts: PROMPTS }),
  'prompts/get': prompt,
};

async function answer(id: unknown, method: string, params: Json): Promise<void> {
  try {
    const run = METHODS[method];
    if (run === undefined) throw new Refusal(METHOD_NOT_FOUND, 'Method not found');
    if (!initialized && method !== 'initialize' && method !== 'ping')
      throw new Refusal(-32_000, 'Not initialized');
    send({ id, result: await run(params) });
  } catch (error) {
    send({ id, error: errorOf(error) });
  }
}

function answered({ id, result, error }: Json): void {
  const waiting = asked.get(id);
  asked.delete(id);
  if (!isObject(error)) return waiting?.resolve(objectOf(result));
  waiting?.reject(new Refusal(Number(error['code']), String(error['message']), error['data']));
}

if (process.argv.includes('--stay')) {
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
  setInterval(() => undefined, 60_000);
}

await receive((message) => {
  const { id, method, params } = message;
  if (typeof method !== 'string') return answered(message);
  if (id !== undefined) void answer(id, method, objectOf(params));
});
