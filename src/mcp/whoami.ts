import {
  LATEST_LEGACY_VERSION,
  LEGACY_VERSIONS,
  META_PROTOCOL_VERSION,
  META_SERVER_INFO,
  MODERN_VERSIONS,
} from './constants.ts';
import {
  INVALID_PARAMS,
  isJsonObject,
  type JsonObject,
  JsonRpcError,
  METHOD_NOT_FOUND,
  UNSUPPORTED_PROTOCOL_VERSION,
} from './json-rpc.ts';

/** Whom the built-in server speaks of. */
export interface WhoamiPerson {
  readonly id: string;
  readonly username: string;
  readonly name: string;
  /** Empty: there is no verified one. */
  readonly email: string;
}

export interface WhoamiOptions {
  readonly person: WhoamiPerson;
  readonly version: string;
}

const TOOL = {
  name: 'whoami',
  title: 'Who am I?',
  description: 'Tells who you are signed in as at this Postern.',
  inputSchema: { type: 'object', properties: {}, additionalProperties: false },
  outputSchema: {
    type: 'object',
    properties: {
      id: { type: 'string' },
      username: { type: 'string' },
      name: { type: 'string' },
      email: { type: 'string' },
    },
    required: ['id', 'username', 'name'],
  },
  annotations: { readOnlyHint: true, idempotentHint: true, openWorldHint: false },
};
const INSTRUCTIONS = 'The tool whoami tells whose account this connection uses.';
const CAPABILITIES = { tools: {} };
/** The tool never changes while this program runs. */
const TTL_MS = 3_600_000;

/** Answers one message of a client of either era; `undefined`: nothing is to be said. */
export function whoamiServer({
  person,
  version,
}: WhoamiOptions): (message: unknown) => JsonObject | undefined {
  const serverInfo = { name: 'postern-whoami', title: 'Who am I?', version };

  const legacy: Readonly<Record<string, (params: JsonObject) => JsonObject>> = {
    initialize: ({ protocolVersion }) => ({
      protocolVersion: LEGACY_VERSIONS.find((known) => known === protocolVersion) ?? LATEST_LEGACY_VERSION,
      capabilities: CAPABILITIES,
      serverInfo,
      instructions: INSTRUCTIONS,
    }),
    ping: () => ({}),
    'tools/list': () => ({ tools: [TOOL] }),
    'tools/call': (params) => callTool(params, person),
  };
  const modern: Readonly<Record<string, (params: JsonObject) => JsonObject>> = {
    'server/discover': () => ({
      ...cacheable,
      supportedVersions: MODERN_VERSIONS,
      capabilities: CAPABILITIES,
      instructions: INSTRUCTIONS,
    }),
    'tools/list': () => ({ ...cacheable, tools: [TOOL] }),
    'tools/call': (params) => callTool(params, person),
  };

  const answer = (method: string, params: JsonObject): JsonObject => {
    const speaks = isJsonObject(params['_meta']) ? params['_meta'][META_PROTOCOL_VERSION] : undefined;
    if (speaks === undefined) return find(legacy, method)(params);
    requireKnown(speaks);
    const result = find(modern, method)(params);
    return { resultType: 'complete', ...result, _meta: { [META_SERVER_INFO]: serverInfo } };
  };

  return (message) => {
    if (!isJsonObject(message) || message['id'] === undefined) return undefined;
    const { id, method, params } = message;
    if (typeof method !== 'string') return undefined;
    try {
      return { jsonrpc: '2.0', id, result: answer(method, isJsonObject(params) ? params : {}) };
    } catch (error) {
      if (!(error instanceof JsonRpcError)) throw error;
      const { code, message: text, data } = error;
      return { jsonrpc: '2.0', id, error: { code, message: text, ...(data !== undefined && { data }) } };
    }
  };
}

const cacheable = { ttlMs: TTL_MS, cacheScope: 'private' };

function find<T>(methods: Readonly<Record<string, T>>, method: string): T {
  const found = Object.hasOwn(methods, method) ? methods[method] : undefined;
  if (found === undefined) throw new JsonRpcError(METHOD_NOT_FOUND, 'There is no such method.');
  return found;
}

function requireKnown(version: unknown): void {
  if (MODERN_VERSIONS.some((known) => known === version)) return;
  const data = { supported: MODERN_VERSIONS, requested: version };
  throw new JsonRpcError(UNSUPPORTED_PROTOCOL_VERSION, 'This revision is not spoken here.', data);
}

function callTool({ name }: JsonObject, person: WhoamiPerson): JsonObject {
  if (name !== TOOL.name) throw new JsonRpcError(INVALID_PARAMS, 'There is no such tool.');
  const { id, username, email } = person;
  const shown = person.name === '' ? username : `${person.name} (${username})`;
  const text = `You are signed in as ${shown}${email === '' ? '' : `, ${email}`}.`;
  const structuredContent = { id, username, name: person.name, ...(email !== '' && { email }) };
  return { content: [{ type: 'text', text }], structuredContent };
}
