import {
  INVALID_REQUEST,
  isJsonObject,
  type JsonObject,
  JsonRpcError,
  type JsonRpcId,
  PARSE_ERROR,
} from './json-rpc.ts';

export interface RequestMessage {
  readonly kind: 'request';
  readonly id: JsonRpcId;
  readonly method: string;
  readonly params: JsonObject | undefined;
}

export interface NotificationMessage {
  readonly kind: 'notification';
  readonly method: string;
  readonly params: JsonObject | undefined;
}

export interface ResponseMessage {
  readonly kind: 'response';
  readonly id: JsonRpcId;
  /** What the other end answered: its result, or its error. */
  readonly outcome: { readonly result: JsonObject } | { readonly error: JsonRpcError };
}

export type Message = RequestMessage | NotificationMessage | ResponseMessage;

/** A body that is no message. `id` is what an answer may still be addressed to. */
export class MalformedMessage extends Error {
  override readonly name = 'MalformedMessage';
  readonly error: JsonRpcError;
  readonly id: JsonRpcId | null;

  constructor(code: number, message: string, id: JsonRpcId | null = null) {
    super(message);
    this.error = new JsonRpcError(code, message);
    this.id = id;
  }
}

/** Arrays and objects inside one another. Nothing in MCP comes near; writing deeper ones out again would end the stack. */
const MAX_DEPTH = 128;
/** A longer method is no name of anything. */
const MAX_METHOD_LENGTH = 256;
const MAX_ID_LENGTH = 256;

/** One JSON-RPC message. Batches, which 2025-06-18 took away, are refused. @throws MalformedMessage. */
export function parseMessage(text: string): Message {
  if (text.length > 2 * MAX_DEPTH && isTooDeep(text)) {
    throw new MalformedMessage(INVALID_REQUEST, 'The message is nested too deeply.');
  }
  const value = parseJson(text);
  if (Array.isArray(value)) {
    throw new MalformedMessage(INVALID_REQUEST, 'Send one message at a time, not a batch.');
  }
  if (!isJsonObject(value)) throw new MalformedMessage(INVALID_REQUEST, 'The body is no JSON-RPC message.');
  const id = isId(value['id']) ? value['id'] : null;
  if (value['jsonrpc'] !== '2.0')
    throw new MalformedMessage(INVALID_REQUEST, '"jsonrpc" has to be "2.0".', id);
  return 'method' in value ? readCall(value, id) : readResponse(value, id);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new MalformedMessage(PARSE_ERROR, 'The body is not JSON.');
  }
}

function readCall(value: JsonObject, id: JsonRpcId | null): RequestMessage | NotificationMessage {
  const { method, params } = value;
  if (typeof method !== 'string' || method === '' || method.length > MAX_METHOD_LENGTH) {
    throw new MalformedMessage(INVALID_REQUEST, '"method" has to be the name of a method.', id);
  }
  if (params !== undefined && !isJsonObject(params)) {
    throw new MalformedMessage(INVALID_REQUEST, '"params" has to be an object.', id);
  }
  if (!('id' in value)) return { kind: 'notification', method, params };
  if (id === null) throw new MalformedMessage(INVALID_REQUEST, '"id" has to be a string or a number.');
  return { kind: 'request', id, method, params };
}

function readResponse(value: JsonObject, id: JsonRpcId | null): ResponseMessage {
  if (id === null) throw new MalformedMessage(INVALID_REQUEST, 'The message has neither method nor id.');
  const { result, error } = value;
  if (isJsonObject(result) && error === undefined) return { kind: 'response', id, outcome: { result } };
  if (!isJsonObject(error) || result !== undefined || !Number.isInteger(error['code'])) {
    throw new MalformedMessage(INVALID_REQUEST, 'An answer has a result or an error.', id);
  }
  const text = typeof error['message'] === 'string' ? error['message'] : '';
  return {
    kind: 'response',
    id,
    outcome: { error: new JsonRpcError(Number(error['code']), text, error['data']) },
  };
}

function isId(value: unknown): value is JsonRpcId {
  if (typeof value === 'string') return value.length <= MAX_ID_LENGTH;
  return typeof value === 'number' && Number.isFinite(value);
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Counts brackets outside strings; what is no JSON is found out later. */
export function isTooDeep(text: string): boolean {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at);
    else if (code === 0x7b || code === 0x5b) {
      if (++depth > MAX_DEPTH) return true;
    } else if (code === 0x7d || code === 0x5d) depth--;
  }
  return false;
}

/** Where the string that begins at `from` ends. */
function endOfString(text: string, from: number): number {
  let at = text.indexOf('"', from + 1);
  while (at !== -1 && isEscaped(text, at)) at = text.indexOf('"', at + 1);
  return at === -1 ? text.length : at;
}

function isEscaped(text: string, quote: number): boolean {
  let backslashes = 0;
  while (text.charCodeAt(quote - 1 - backslashes) === BACKSLASH) backslashes++;
  return backslashes % 2 === 1;
}
