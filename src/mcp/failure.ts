import type { JsonObject, JsonRpcError, JsonRpcId } from './json-rpc.ts';

/** An error on its way out: the JSON-RPC part, and what HTTP says where nothing has been sent yet. */
export interface Failure {
  readonly status: number;
  readonly headers: Record<string, string> | undefined;
  readonly error: JsonObject;
}

export interface FailureContext {
  readonly era: 'legacy' | 'modern';
  /** Who said no: a backend's own errors are content, ours are refusals of the request. */
  readonly origin: 'backend' | 'front';
  /** `WWW-Authenticate`, for who has to sign in again. */
  readonly challenge: string;
}

/** Says what an error becomes outside; the layer that knows HTTP provides it. */
export type DescribeFailure = (error: unknown, context: FailureContext) => Failure;

export function errorMessage(id: JsonRpcId | null, error: JsonObject): JsonObject {
  return { jsonrpc: '2.0', id, error };
}

export function toErrorObject({ code, message, data }: JsonRpcError): JsonObject {
  return data === undefined ? { code, message } : { code, message, data };
}
