/** The value of a JSON object, as `JSON.parse` made it: of its members nothing is known yet. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** What a peer may call a request (JSON-RPC 2.0 section 4; MCP excludes `null`). */
export type JsonRpcId = string | number;

/** Codes of JSON-RPC 2.0 section 5.1. */
export const PARSE_ERROR = -32_700;
export const INVALID_REQUEST = -32_600;
export const METHOD_NOT_FOUND = -32_601;
export const INVALID_PARAMS = -32_602;
export const INTERNAL_ERROR = -32_603;

/** Codes of MCP 2026-07-28 (basic, "Error codes"). */
export const HEADER_MISMATCH = -32_020;
export const MISSING_CLIENT_CAPABILITY = -32_021;
export const UNSUPPORTED_PROTOCOL_VERSION = -32_022;

/**
 * An error that belongs into a JSON-RPC answer: a backend's own, passed on as it is, or one of ours.
 * `message` of ours never repeats what was sent in.
 */
export class JsonRpcError extends Error {
  override readonly name = 'JsonRpcError';
  readonly code: number;
  readonly data: unknown;

  constructor(code: number, message: string, data?: unknown) {
    super(message);
    this.code = code;
    this.data = data;
  }
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
