import { isJsonObject, type JsonObject } from './json-rpc.ts';

/**
 * What a request of a backend needs of a client and the client did not declare, in the shape of `ClientCapabilities`;
 * `undefined` when it may be sent (2026-07-28, basic patterns, "Multi round-trip requests").
 */
export function missingCapabilities(
  capabilities: JsonObject,
  method: string,
  params: JsonObject | undefined,
): JsonObject | undefined {
  switch (method) {
    case 'roots/list':
      return isJsonObject(capabilities['roots']) ? undefined : { roots: {} };
    case 'sampling/createMessage':
      return missingSampling(capabilities['sampling'], params);
    case 'elicitation/create':
      return missingElicitation(capabilities['elicitation'], params);
    default:
      return {};
  }
}

function missingSampling(declared: unknown, params: JsonObject | undefined): JsonObject | undefined {
  const usesTools = params?.['tools'] !== undefined || params?.['toolChoice'] !== undefined;
  if (!isJsonObject(declared)) return { sampling: usesTools ? { tools: {} } : {} };
  return usesTools && declared['tools'] === undefined ? { sampling: { tools: {} } } : undefined;
}

/** A client that names no mode means forms: that is all there was before modes. */
function missingElicitation(declared: unknown, params: JsonObject | undefined): JsonObject | undefined {
  const mode = params?.['mode'] === 'url' ? 'url' : 'form';
  if (!isJsonObject(declared)) return { elicitation: { [mode]: {} } };
  const namesNone = declared['form'] === undefined && declared['url'] === undefined;
  const has = declared[mode] !== undefined || (mode === 'form' && namesNone);
  return has ? undefined : { elicitation: { [mode]: {} } };
}
