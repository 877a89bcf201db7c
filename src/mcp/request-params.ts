import {
  META_CLIENT_CAPABILITIES,
  META_CLIENT_INFO,
  META_LOG_LEVEL,
  META_PROTOCOL_VERSION,
} from './constants.ts';
import type { ClientView, Exchange } from './exchange.ts';
import { isJsonObject, type JsonObject } from './json-rpc.ts';

/** Who we are to servers (`Implementation`). */
export const OWN_INFO = { name: 'postern', title: 'Postern', version: '1' } as const;

const RESERVED = [META_PROTOCOL_VERSION, META_CLIENT_INFO, META_CLIENT_CAPABILITIES, META_LOG_LEVEL];
/** How a modern client comes back to a call of ours; its backend never sees that. */
const OF_RETRIES = ['inputResponses', 'requestState'];

/**
 * The params of a call as a legacy server gets them: without what 2026-07-28 keeps in `_meta`, and with a progress token
 * of ours where the client wants progress (`token` is the id of the request).
 */
export function legacyParams({ params, client }: Exchange, token: number): JsonObject | undefined {
  const meta = params?.['_meta'];
  if (params === undefined || !isJsonObject(meta)) return client.era === 'modern' ? bare(params) : params;
  const kept = without(meta, RESERVED);
  if (kept['progressToken'] !== undefined) kept['progressToken'] = token;
  const { _meta, ...rest } = client.era === 'modern' ? (bare(params) ?? {}) : params;
  return Object.keys(kept).length === 0 ? rest : { ...rest, _meta: kept };
}

/** The params of a call as a modern server gets them: every request says who asks (2026-07-28, basic, "`_meta`"). */
export function modernParams(
  { params, client }: Exchange,
  protocolVersion: string,
  token: number,
): JsonObject {
  const given = isJsonObject(params?.['_meta']) ? params['_meta'] : {};
  const meta = { ...without(given, RESERVED), ...envelope(client, protocolVersion) };
  if (meta['progressToken'] !== undefined) meta['progressToken'] = token;
  return { ...bare(params), _meta: meta };
}

/** What `_meta` says on behalf of a client. */
export function envelope(
  client: Pick<ClientView, 'info' | 'capabilities' | 'logLevel'> | undefined,
  protocolVersion: string,
): Record<string, unknown> {
  return {
    [META_PROTOCOL_VERSION]: protocolVersion,
    [META_CLIENT_INFO]: client?.info ?? OWN_INFO,
    [META_CLIENT_CAPABILITIES]: client?.capabilities ?? {},
    ...(client?.logLevel !== undefined && { [META_LOG_LEVEL]: client.logLevel }),
  };
}

/** Progress with the token that the client chose; `undefined` when it wants none. */
export function clientProgress(exchange: Exchange, params: JsonObject): JsonObject | undefined {
  const meta = exchange.params?.['_meta'];
  const progressToken = isJsonObject(meta) ? meta['progressToken'] : undefined;
  return progressToken === undefined ? undefined : { ...params, progressToken };
}

function bare(params: JsonObject | undefined): JsonObject | undefined {
  return params === undefined ? undefined : without(params, OF_RETRIES);
}

function without(object: JsonObject, names: readonly string[]): Record<string, unknown> {
  const copy = { ...object };
  for (const name of names) delete copy[name];
  return copy;
}
