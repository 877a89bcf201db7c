import type { JsonObject, JsonRpcError, JsonRpcId } from './json-rpc.ts';

/** An error on its way out: the JSON-RPC part, and what HTTP says where nothing has been sent yet. */
export interface Failure {
  readonly status: number;
  readonly headers: Record<string, string> | undefined;
  readonly error: JsonObject;
}

/** Says what an error becomes outside; the layer that knows HTTP provides it. */
export type DescribeFailure = (
  error: unknown,
  context: { readonly era: 'legacy' | 'modern'; readonly challenge: string },
) => Failure;

export function errorMessage(id: JsonRpcId | null, error: JsonObject): JsonObject {
  return { jsonrpc: '2.0', id, error };
}

export function toErrorObject({ code, message, data }: JsonRpcError): JsonObject {
  return data === undefined ? { code, message } : { code, message, data };
}
