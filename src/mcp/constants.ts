/** Revisions that begin with `initialize`, newest first. */
export const LEGACY_VERSIONS = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'] as const;
/** Revisions in which every request stands for itself. */
export const MODERN_VERSIONS = ['2026-07-28'] as const;
export const LATEST_LEGACY_VERSION = LEGACY_VERSIONS[0];

/** Empty data in an event is understood from this revision on (2025-11-25, transports, "Resumability"). */
export const FIRST_VERSION_WITH_PRIMING = '2025-11-25';

/** Members of `_meta` that MCP 2026-07-28 reserves (basic, "`_meta`"). */
export const META_PROTOCOL_VERSION = 'io.modelcontextprotocol/protocolVersion';
export const META_CLIENT_INFO = 'io.modelcontextprotocol/clientInfo';
export const META_CLIENT_CAPABILITIES = 'io.modelcontextprotocol/clientCapabilities';
export const META_LOG_LEVEL = 'io.modelcontextprotocol/logLevel';
export const META_SERVER_INFO = 'io.modelcontextprotocol/serverInfo';
export const META_SUBSCRIPTION_ID = 'io.modelcontextprotocol/subscriptionId';
/**
 * Ours: what a legacy server calls a request of its own. A modern client finds the request under that name in
 * `inputRequests`, and may answer it before it was asked.
 */
export const META_INPUT_NAME = 'postern/input-name';

export const SESSION_HEADER = 'mcp-session-id';
export const VERSION_HEADER = 'mcp-protocol-version';
export const METHOD_HEADER = 'mcp-method';
export const NAME_HEADER = 'mcp-name';
export const LAST_EVENT_HEADER = 'last-event-id';

/** Which member of `params` the header `Mcp-Name` repeats (2026-07-28, transports, "Standard request headers"). */
export const NAMED_BY: Readonly<Record<string, string>> = {
  'tools/call': 'name',
  'prompts/get': 'name',
  'resources/read': 'uri',
  'tasks/get': 'taskId',
  'tasks/update': 'taskId',
  'tasks/cancel': 'taskId',
};

/** Whose results say how long they may be kept (2026-07-28, server utilities, "Caching"). */
export const CACHEABLE: ReadonlySet<string> = new Set([
  'tools/list',
  'prompts/list',
  'resources/list',
  'resources/templates/list',
  'resources/read',
  'server/discover',
]);

/** What may be answered with `input_required` (2026-07-28, basic patterns, "Multi round-trip requests"). */
export const MAY_NEED_INPUT: ReadonlySet<string> = new Set(['tools/call', 'prompts/get', 'resources/read']);

/** Methods of legacy that 2026-07-28 took away: unknown there. */
export const REMOVED_FROM_MODERN: ReadonlySet<string> = new Set([
  'initialize',
  'ping',
  'logging/setLevel',
  'resources/subscribe',
  'resources/unsubscribe',
]);

/** The code of legacy for a resource that is not there; modern says `INVALID_PARAMS`. */
export const LEGACY_RESOURCE_NOT_FOUND = -32_002;
/** What the official SDKs answer for a protocol session that is gone. */
export const PROTOCOL_SESSION_NOT_FOUND = -32_001;

/** Of a URI that a client subscribes to, in characters: it is kept, and told to each child that starts. */
export const MAX_URI_LENGTH = 4_096;

/** Wait before a stream of a remote server that broke is asked for again, the first time, in milliseconds. */
export const FIRST_RECONNECT_MS = 1_000;
