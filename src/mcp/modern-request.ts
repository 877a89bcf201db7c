import {
  LEGACY_VERSIONS,
  META_CLIENT_CAPABILITIES,
  META_CLIENT_INFO,
  META_LOG_LEVEL,
  META_PROTOCOL_VERSION,
  METHOD_HEADER,
  MODERN_VERSIONS,
  NAME_HEADER,
  NAMED_BY,
  VERSION_HEADER,
} from './constants.ts';
import { type ClientView, LOG_LEVELS, type LogLevel } from './exchange.ts';
import {
  INVALID_PARAMS,
  isJsonObject,
  type JsonObject,
  JsonRpcError,
  UNSUPPORTED_PROTOCOL_VERSION,
} from './json-rpc.ts';
import type { Message, RequestMessage } from './message.ts';
import { headerMismatch, headerText } from './param-headers.ts';

const A_REVISION = /^\d{4}-\d{2}-\d{2}$/;

/** Whether a message claims to be of 2026-07-28 or later, by its `_meta` or by its header. A body counts for more. */
export function isModern(message: Message, headers: Headers): boolean {
  if (message.kind !== 'response' && metaOf(message.params)?.[META_PROTOCOL_VERSION] !== undefined) {
    return message.kind === 'notification' || message.method !== 'initialize' || namesModern(headers);
  }
  return namesModern(headers);
}

/** Whether the header names a revision that is none of legacy. */
export function namesModern(headers: Headers): boolean {
  const version = headers.get(VERSION_HEADER);
  return version !== null && A_REVISION.test(version) && version >= MODERN_VERSIONS[0];
}

/** A revision of legacy in the header, or none at all. @throws JsonRpcError `UNSUPPORTED_PROTOCOL_VERSION`. */
export function requireLegacyVersion(headers: Headers): void {
  const version = headers.get(VERSION_HEADER);
  if (version === null || LEGACY_VERSIONS.some((known) => known === version)) return;
  throw unsupportedVersion(version);
}

/**
 * What a modern client says of itself with each request; what its headers repeat has to agree with the body.
 * @throws JsonRpcError `INVALID_PARAMS`, `HEADER_MISMATCH` or `UNSUPPORTED_PROTOCOL_VERSION`
 * (2026-07-28, transports, "Standard request headers", and basic, "`_meta`").
 */
export function readModernClient({ method, params }: RequestMessage, headers: Headers): ClientView {
  const meta = metaOf(params) ?? {};
  const version = meta[META_PROTOCOL_VERSION];
  const capabilities = meta[META_CLIENT_CAPABILITIES];
  if (typeof version !== 'string') throw invalidMeta(META_PROTOCOL_VERSION);
  if (!isJsonObject(capabilities)) throw invalidMeta(META_CLIENT_CAPABILITIES);
  const info = meta[META_CLIENT_INFO];
  if (info !== undefined && !isJsonObject(info)) throw invalidMeta(META_CLIENT_INFO);
  requireSame(VERSION_HEADER, headers.get(VERSION_HEADER), version);
  if (!MODERN_VERSIONS.some((known) => known === version)) throw unsupportedVersion(version);
  requireSame(METHOD_HEADER, headers.get(METHOD_HEADER), method);
  requireSameName(method, params, headers);
  return { era: 'modern', protocolVersion: version, info, capabilities, logLevel: logLevelOf(meta) };
}

export function metaOf(params: JsonObject | undefined): JsonObject | undefined {
  const meta = params?.['_meta'];
  return isJsonObject(meta) ? meta : undefined;
}

export function toLogLevel(value: unknown): LogLevel | undefined {
  return LOG_LEVELS.find((level) => level === value);
}

function logLevelOf(meta: JsonObject): LogLevel | undefined {
  const asked = meta[META_LOG_LEVEL];
  if (asked === undefined) return undefined;
  const level = toLogLevel(asked);
  if (level === undefined) throw invalidMeta(META_LOG_LEVEL);
  return level;
}

function requireSameName(method: string, params: JsonObject | undefined, headers: Headers): void {
  const member = Object.hasOwn(NAMED_BY, method) ? NAMED_BY[method] : undefined;
  const name = member === undefined ? undefined : params?.[member];
  if (typeof name === 'string') requireSame(NAME_HEADER, headerText(headers.get(NAME_HEADER)), name);
}

function requireSame(header: string, found: string | null, expected: string): void {
  if (found !== expected) throw headerMismatch(header, found);
}

const invalidMeta = (member: string) =>
  new JsonRpcError(INVALID_PARAMS, `"_meta" lacks ${member}, or it is malformed.`, { member });

/** The error tells a client what it may ask for instead, and repeats the version because the schema demands it. */
function unsupportedVersion(requested: string): JsonRpcError {
  return new JsonRpcError(UNSUPPORTED_PROTOCOL_VERSION, 'This protocol version is not spoken here.', {
    supported: MODERN_VERSIONS,
    requested: requested.slice(0, 64),
  });
}
