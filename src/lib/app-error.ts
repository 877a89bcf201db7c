/** What went wrong, in the classes that an HTTP answer knows (`http/problem.ts` maps each to one status). */
export type ErrorKind =
  | 'bad_request'
  | 'unauthorized'
  | 'forbidden'
  | 'not_found'
  | 'method_not_allowed'
  | 'request_timeout'
  | 'conflict'
  | 'gone'
  | 'payload_too_large'
  | 'unsupported_media_type'
  | 'misdirected'
  | 'unprocessable'
  | 'too_many_requests'
  | 'header_fields_too_large'
  | 'not_implemented'
  | 'bad_gateway'
  | 'gateway_timeout'
  /** What was asked for is not there now; unlike `unavailable`, nothing is wrong with us. */
  | 'offline'
  | 'unavailable';

interface AppErrorOptions {
  /** Sent as `Retry-After`, in seconds. */
  retryAfterSeconds?: number;
  /** What a program should know besides the code: more members of the problem (RFC 9457 section 3.2). */
  members?: Readonly<Record<string, string | number>> | undefined;
  cause?: unknown;
}

/**
 * A refusal or an outage that the caller should hear about.
 * `code` is stable and for programs; `message` is for people and never repeats what was sent in.
 * Anything else that is thrown is a bug, and becomes a 500 with a request id.
 */
export class AppError extends Error {
  override readonly name = 'AppError';
  readonly kind: ErrorKind;
  readonly code: string;
  readonly retryAfterSeconds: number | undefined;
  readonly members: Readonly<Record<string, string | number>> | undefined;

  constructor(kind: ErrorKind, code: string, message: string, options: AppErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.kind = kind;
    this.code = code;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.members = options.members;
  }
}
