import { CACHEABLE, META_SERVER_INFO, MODERN_VERSIONS } from './constants.ts';
import type { ServerAbout } from './exchange.ts';
import { isJsonObject, type JsonObject } from './json-rpc.ts';

/**
 * A result as 2026-07-28 wants it: `resultType` always, who the server is, and for lists how long they hold. What a legacy
 * backend says may change at any moment without a word of time, so that it is good for this once; nothing that was made for
 * one person is public.
 */
export function modernResult(method: string, result: JsonObject, about: ServerAbout | undefined): JsonObject {
  const meta = isJsonObject(result['_meta']) ? result['_meta'] : {};
  const resultType = result['resultType'] ?? 'complete';
  return {
    ...result,
    ...(about !== undefined && { _meta: { [META_SERVER_INFO]: about.serverInfo, ...meta } }),
    resultType,
    ...(CACHEABLE.has(method) &&
      resultType === 'complete' && { ttlMs: ttlOf(result), cacheScope: 'private' }),
  };
}

/** The answer to `server/discover`. */
export function discoverResult(about: ServerAbout): JsonObject {
  const { tasks: _, ...capabilities } = about.capabilities;
  return modernResult(
    'server/discover',
    {
      supportedVersions: MODERN_VERSIONS,
      capabilities,
      ...(about.instructions !== undefined && { instructions: about.instructions }),
    },
    about,
  );
}

function ttlOf({ ttlMs }: JsonObject): number {
  return typeof ttlMs === 'number' && Number.isSafeInteger(ttlMs) && ttlMs >= 0 ? ttlMs : 0;
}
