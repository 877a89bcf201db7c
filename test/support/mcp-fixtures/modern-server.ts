import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import {
  ASKING_PROMPT,
  ASKING_TOOLS,
  type Asks,
  CAPABILITY_ASKS,
  CAPABILITY_TOOL,
  PROMPT_ASKS,
  type Rounds,
} from './asks.ts';
import * as content from './content.ts';
import type { Json } from './json-lines.ts';
import * as rpc from './json-lines.ts';
import { withLogging, withProgress } from './long-tools.ts';

/** `bun modern-server.ts`: an MCP server on stdio that speaks 2026-07-28 and nothing before it. */

const VERSION = '2026-07-28';
const META = 'io.modelcontextprotocol/';
const MISSING_CAPABILITY = -32_021;
const UNSUPPORTED_VERSION = -32_022;
const TTL_MS = 60_000;

const INFO = { name: 'modern-fixture', version: '1.0.0' };
const CAPABILITIES = {
  tools: { listChanged: true },
  prompts: { listChanged: true },
  resources: { subscribe: true, listChanged: true },
  logging: {},
  completions: {},
};

/** One request and what its `_meta` says of whoever sent it. */
interface Call {
  readonly id: unknown;
  readonly params: Json;
  readonly meta: Json;
  readonly capabilities: Json;
}

const KEY = randomBytes(32);
const sign = (body: string) => createHmac('sha256', KEY).update(body).digest('base64url');

/** State that the client carries for us, and cannot change. */
const sealState = (state: Json): string => {
  const body = Buffer.from(JSON.stringify(state)).toString('base64url');
  return `${body}.${sign(body)}`;
};

/** @throws Refusal when it is not ours. */
function openState(state: unknown): Json {
  if (state === undefined) return {};
  const [body = '', mac = ''] = typeof state === 'string' ? state.split('.') : [];
  const expected = Buffer.from(sign(body));
  const given = Buffer.from(mac);
  if (given.length !== expected.length || !timingSafeEqual(given, expected))
    throw new rpc.Refusal(rpc.INVALID_PARAMS, 'The state was tampered with.');
  const value: unknown = JSON.parse(Buffer.from(body, 'base64url').toString());
  return rpc.objectOf(value);
}

const NEEDS: Readonly<Record<string, string>> = {
  'elicitation/create': 'elicitation',
  'sampling/createMessage': 'sampling',
  'roots/list': 'roots',
};
const neededBy = ({ method }: Json) => NEEDS[String(method)] ?? '';

/** @throws Refusal naming what the client would have to be able to do. */
function requireCapabilities(asks: Asks, capabilities: Json): void {
  const missing = Object.values(asks)
    .map(neededBy)
    .filter((name) => capabilities[name] === undefined);
  if (missing.length === 0) return;
  const requiredCapabilities = Object.fromEntries(missing.map((name) => [name, {}]));
  throw new rpc.Refusal(MISSING_CAPABILITY, 'The client lacks a capability.', { requiredCapabilities });
}

/** Asks round by round; answers that do not do are asked for again. */
function askThrough(rounds: Rounds, { params, capabilities }: Call, finish: (answers: Json) => Json): Json {
  const { round = 0, answers: before } = openState(params['requestState']);
  const given = params['inputResponses'];
  if (given !== undefined && !rpc.isObject(given))
    throw new rpc.Refusal(rpc.INVALID_PARAMS, 'inputResponses is not an object.');
  let answers = rpc.objectOf(before);
  for (let index = Number(round); index < rounds.length; index++) {
    const asks = rounds[index] ?? {};
    requireCapabilities(asks, capabilities);
    const names = Object.keys(asks);
    const usable = index === Number(round) && names.every((name) => rpc.isObject(given?.[name]));
    if (!usable) {
      const requestState = sealState({ round: index, answers, at: performance.now() });
      return { resultType: 'input_required', inputRequests: asks, requestState };
    }
    answers = { ...answers, ...Object.fromEntries(names.map((name) => [name, given?.[name]])) };
  }
  return finish(answers);
}

function askForWhatThereIs(call: Call): Json {
  const possible = Object.entries(CAPABILITY_ASKS).filter(
    ([, request]) => call.capabilities[neededBy(request)] !== undefined,
  );
  return askThrough([Object.fromEntries(possible)], call, (answers) =>
    content.said(`answers: ${Object.keys(answers).length}`),
  );
}

/** Who listens (`subscriptions/listen`), by the id of that request. */
const listeners = new Map<unknown, Json>();

function tell(wish: string, method: string): Json {
  for (const [id, wishes] of listeners) {
    if (wishes[wish] !== true) continue;
    rpc.send({ method, params: { _meta: { [`${META}subscriptionId`]: id } } });
  }
  return content.said('changed');
}

type Tool = (call: Call, given: Json) => Json | Promise<Json>;

const logging: Tool = ({ meta }) => {
  const level = meta[`${META}logLevel`];
  return withLogging(() => (typeof level === 'string' ? level : undefined));
};

const asking =
  (name: string): Tool =>
  (call, given) =>
    askThrough(ASKING_TOOLS[name]?.(given) ?? [], call, (answers) => content.saidOfAnswers(name, answers));

const TOOLS: Readonly<Record<string, Tool>> = {
  ...Object.fromEntries(Object.entries(content.PLAIN_TOOLS).map(([name, result]) => [name, () => result])),
  ...Object.fromEntries(Object.keys(ASKING_TOOLS).map((name) => [name, asking(name)])),
  [CAPABILITY_TOOL]: askForWhatThereIs,
  test_tool_with_logging: logging,
  test_logging_tool: logging,
  test_tool_with_progress: ({ meta }) => withProgress(meta['progressToken']),
  test_trigger_tool_change: () => tell('toolsListChanged', 'notifications/tools/list_changed'),
  test_trigger_prompt_change: () => tell('promptsListChanged', 'notifications/prompts/list_changed'),
  json_schema_2020_12_tool: (_call, given) => content.said(JSON.stringify(given)),
  // Its argument travels in a header as well (2026-07-28, transports, "x-mcp-header").
  test_region: (_call, { region }) => content.said(`region: ${String(region)}`),
};

const listed = (result: Json): Json => ({ ...result, ttlMs: TTL_MS, cacheScope: 'private' });

/** Answers only when it is cancelled, which needs no answer. */
function listen({ id, params }: Call): Promise<Json> {
  const wishes = rpc.objectOf(params['notifications']);
  listeners.set(id, wishes);
  const meta = { [`${META}subscriptionId`]: id };
  rpc.send({
    method: 'notifications/subscriptions/acknowledged',
    params: { _meta: meta, notifications: wishes },
  });
  return new Promise(() => undefined);
}

const METHODS: Readonly<Record<string, (call: Call) => Json | Promise<Json>>> = {
  ...Object.fromEntries(Object.entries(content.LISTS).map(([method, list]) => [method, () => listed(list)])),
  'server/discover': () =>
    listed({
      supportedVersions: [VERSION],
      capabilities: CAPABILITIES,
      instructions: 'Everything here is made up.',
    }),
  'completion/complete': ({ params }) => content.complete(params),
  'tools/list': () => listed({ tools: content.toolList(Object.keys(TOOLS)) }),
  'tools/call': (call) => {
    const tool = TOOLS[String(call.params['name'])];
    if (tool === undefined) throw new rpc.Refusal(rpc.INVALID_PARAMS, 'Unknown tool');
    return tool(call, rpc.objectOf(call.params['arguments']));
  },
  'resources/read': ({ params }) => listed(content.readResource(params['uri'], rpc.INVALID_PARAMS)),
  'prompts/get': (call) => {
    const { name, arguments: given } = call.params;
    if (name !== ASKING_PROMPT) return content.getPrompt(name, given);
    return askThrough([PROMPT_ASKS], call, (answers) => ({
      messages: [content.user(content.text(JSON.stringify(answers)))],
    }));
  },
  'subscriptions/listen': listen,
};

/** @throws Refusal unless `_meta` says what it has to. */
function readCall(id: unknown, params: Json): Call {
  const meta = rpc.objectOf(params['_meta']);
  const requested = meta[`${META}protocolVersion`];
  const capabilities = meta[`${META}clientCapabilities`];
  if (typeof requested !== 'string' || !rpc.isObject(capabilities))
    throw new rpc.Refusal(rpc.INVALID_PARAMS, 'The request does not say who asks.');
  if (requested !== VERSION)
    throw new rpc.Refusal(UNSUPPORTED_VERSION, 'Unsupported protocol version', {
      supported: [VERSION],
      requested,
    });
  return { id, params, meta, capabilities };
}

async function answer(id: unknown, method: string, params: Json): Promise<void> {
  try {
    const run = METHODS[method];
    if (run === undefined) throw new rpc.Refusal(rpc.METHOD_NOT_FOUND, 'Method not found');
    const result = await run(readCall(id, params));
    rpc.send({ id, result: { resultType: 'complete', ...result, _meta: { [`${META}serverInfo`]: INFO } } });
  } catch (error) {
    rpc.send({ id, error: rpc.errorOf(error) });
  }
}

await rpc.receive(({ id, method, params }) => {
  if (typeof method !== 'string') return;
  if (id !== undefined) void answer(id, method, rpc.objectOf(params));
  else if (method === 'notifications/cancelled') listeners.delete(rpc.objectOf(params)['requestId']);
});
