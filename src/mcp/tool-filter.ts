import { INVALID_PARAMS, isJsonObject, type JsonObject, JsonRpcError } from './json-rpc.ts';
import type { ToolFilter } from './model.ts';

/** Whether the configuration lets anybody use this tool; what is denied stays denied. */
function isToolAllowed({ allow, deny }: ToolFilter, name: string): boolean {
  return !deny.includes(name) && (allow === undefined || allow.includes(name));
}

/** @throws JsonRpcError for a call of a tool that is not offered here: the same as for one that does not exist. */
export function requireTool(filter: ToolFilter, method: string, params: JsonObject | undefined): void {
  if (method !== 'tools/call') return;
  const name = params?.['name'];
  // A server that is careless about types might take `["name"]` for the name.
  const isAllowed = typeof name === 'string' ? isToolAllowed(filter, name) : isOpen(filter);
  if (!isAllowed) throw notOffered();
}

/** A list of tools without those that are not offered. */
export function withoutDeniedTools(filter: ToolFilter, method: string, result: JsonObject): JsonObject {
  const { tools } = result;
  if (method !== 'tools/list' || !Array.isArray(tools) || isOpen(filter)) return result;
  const offered = tools.filter((tool: unknown) => {
    const name = isJsonObject(tool) ? tool['name'] : undefined;
    return typeof name === 'string' && isToolAllowed(filter, name);
  });
  return { ...result, tools: offered };
}

function isOpen({ allow, deny }: ToolFilter): boolean {
  return allow === undefined && deny.length === 0;
}

export const notOffered = () => new JsonRpcError(INVALID_PARAMS, 'There is no such tool here.');
