import { SERVICE_NAME } from '../config/service-name.ts';
import { readUint32, writeUint32 } from './frame.ts';
import { type HeaderList, isHeader } from './header-list.ts';

/** What a stream is for: its first bytes, from the side that opened it. */
export type RequestHead = HttpRequestHead | TcpRequestHead;

/** `websocket`: what follows the answer are messages (`socket-messages.ts`); `http`: what follows is the body. */
export interface HttpRequestHead {
  readonly kind: 'http' | 'websocket';
  readonly service: string;
  readonly method: string;
  /** Path and query, as the visitor sent them. */
  readonly target: string;
  /** How and under which name the visitor asked. */
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly headers: HeaderList;
}

/** What follows the answer are the bytes of the connection. */
export interface TcpRequestHead {
  readonly kind: 'tcp';
  readonly service: string;
}

/** The first bytes of the other side. A TCP service that was reached answers 200 without headers. */
export type AnswerHead =
  | { readonly status: number; readonly headers: HeaderList }
  | { readonly refused: RefusalCode };

/** Why an agent gives no answer of its service. */
export const REFUSAL_CODES = [
  /** No such service on this device, or of another kind. */
  'unknown_service',
  /** The head is not one that this agent takes. */
  'bad_request',
  /** The service does not take connections. */
  'service_unreachable',
  /** The service did not answer in time. */
  'service_timeout',
  /** The service answered something that is not HTTP, or a head that is too large. */
  'service_failed',
  /** The agent serves as many streams as it may. */
  'busy',
] as const;
export type RefusalCode = (typeof REFUSAL_CODES)[number];

/** Bytes before the text of a head: its length. */
export const HEAD_LENGTH_BYTES = 4;
/** The longest head, in bytes. */
export const MAX_HEAD_BYTES = 64 * 1024;

/** A head that is not one; the message says what is wrong without repeating it. */
export class HeadError extends Error {
  override readonly name = 'HeadError';
}

const METHOD = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}$/;
/** An origin-form target (RFC 9112 section 3.2.1) without a fragment. */
const TARGET = /^\/[\x21\x22\x24-\x7e]*$/;
const HOST = /^(?:[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f:.]+\])(?::\d{1,5})?$/;
/** Methods that are about the connection, or read headers back to a script (RFC 9110 sections 9.3.6 and 9.3.8). */
const REFUSED_METHODS: readonly string[] = ['CONNECT', 'TRACE'];

/** The bytes of a request head, its length included. Throws `HeadError` for one that the other side would refuse. */
export function encodeRequestHead(head: RequestHead): Uint8Array {
  checkRequest(head);
  return frameHead(JSON.stringify(head));
}

/** The bytes of an answer head, its length included. Throws `HeadError` for one that the other side would refuse. */
export function encodeAnswerHead(head: AnswerHead): Uint8Array {
  checkAnswer(head);
  return frameHead(JSON.stringify(head));
}

/** Reads the text of a request head. Throws `HeadError`. */
export function decodeRequestHead(text: Uint8Array): RequestHead {
  const head = parseObject(text);
  checkRequest(head);
  return head;
}

/** Reads the text of an answer head. Throws `HeadError`. */
export function decodeAnswerHead(text: Uint8Array): AnswerHead {
  const head = parseObject(text);
  checkAnswer(head);
  return head;
}

/** The length that a head announces. Throws `HeadError` when it may not be that long. */
export function headLength(bytes: Uint8Array): number {
  const length = readUint32(bytes, 0);
  if (length < 2 || length > MAX_HEAD_BYTES) throw new HeadError('the length of the head is out of bounds');
  return length;
}

function frameHead(text: string): Uint8Array {
  const bytes = Buffer.allocUnsafe(HEAD_LENGTH_BYTES + Buffer.byteLength(text));
  const length = bytes.write(text, HEAD_LENGTH_BYTES);
  if (length > MAX_HEAD_BYTES) throw new HeadError('the head is too long');
  writeUint32(bytes, 0, length);
  return bytes;
}

type Unchecked = Record<string, unknown>;

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function parseObject(text: Uint8Array): Unchecked {
  try {
    const value: unknown = JSON.parse(strictUtf8.decode(text));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Unchecked;
  } catch {
    // Said below; the parser's words would repeat what was sent.
  }
  throw new HeadError('the head is not a JSON object');
}

function checkRequest(head: object): asserts head is RequestHead {
  const { kind, service, method, target, scheme, host, headers } = head as Unchecked;
  requireText(service, SERVICE_NAME, 'service');
  if (kind === 'tcp') return requireMembers(head, 2);
  if (kind !== 'http' && kind !== 'websocket') throw new HeadError('kind is unknown');
  requireText(method, METHOD, 'method');
  if (REFUSED_METHODS.includes(method)) throw new HeadError('method is refused');
  if (kind === 'websocket' && method !== 'GET') throw new HeadError('a WebSocket begins with GET');
  requireText(target, TARGET, 'target');
  if (scheme !== 'http' && scheme !== 'https') throw new HeadError('scheme is unknown');
  requireText(host, HOST, 'host');
  checkHeaders(headers);
  requireMembers(head, 7);
}

function checkAnswer(head: object): asserts head is AnswerHead {
  const { refused, status, headers } = head as Unchecked;
  if (refused !== undefined) {
    if (!REFUSAL_CODES.some((code) => code === refused)) throw new HeadError('refused is unknown');
    return requireMembers(head, 1);
  }
  // Interim answers (1xx) are about the connection, but for the one that opens a WebSocket.
  const isStatus = Number.isInteger(status) && Number(status) >= 200 && Number(status) <= 599;
  if (!isStatus && status !== 101) throw new HeadError('status is out of bounds');
  checkHeaders(headers);
  requireMembers(head, 2);
}

function checkHeaders(headers: unknown): void {
  if (!Array.isArray(headers)) throw new HeadError('headers are not a list');
  for (const line of headers as unknown[]) {
    if (!Array.isArray(line) || line.length !== 2) throw new HeadError('a header is not a pair');
    const [name, value] = line as unknown[];
    if (typeof name !== 'string' || typeof value !== 'string' || !isHeader(name, value)) {
      throw new HeadError('a header may not be sent');
    }
  }
}

function requireText(value: unknown, form: RegExp, name: string): asserts value is string {
  if (typeof value !== 'string' || !form.test(value)) throw new HeadError(`${name} is malformed`);
}

/** Members are checked one by one before; more than those means that one of them is unknown. */
function requireMembers(head: object, count: number): void {
  if (Object.keys(head).length !== count) throw new HeadError('the head has unknown members');
}
