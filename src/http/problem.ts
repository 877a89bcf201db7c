import { AppError, type ErrorKind } from '../lib/app-error.ts';

const STATUS: Readonly<Record<ErrorKind, number>> = {
  bad_request: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  request_timeout: 408,
  conflict: 409,
  gone: 410,
  payload_too_large: 413,
  unsupported_media_type: 415,
  misdirected: 421,
  unprocessable: 422,
  too_many_requests: 429,
  header_fields_too_large: 431,
  not_implemented: 501,
  bad_gateway: 502,
  gateway_timeout: 504,
  offline: 503,
  unavailable: 503,
};

/** Reason phrases of RFC 9110 section 15 and RFC 6585. */
const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  409: 'Conflict',
  410: 'Gone',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  421: 'Misdirected Request',
  422: 'Unprocessable Content',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
};

/** An error as the outside may see it. */
export interface Problem {
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;
}

export function statusOf(kind: ErrorKind): number {
  return STATUS[kind];
}

/** What an error becomes outside. Anything but an `AppError` is a bug, of which nothing is told. */
export function toProblem(error: unknown): Problem {
  if (!(error instanceof AppError)) {
    return describe(500, 'internal_error', 'Something went wrong here. The log has the details.');
  }
  const status = statusOf(error.kind);
  const headers: Record<string, string> = {};
  if (error.retryAfterSeconds !== undefined) headers['retry-after'] = String(error.retryAfterSeconds);
  if (status === 401) headers['www-authenticate'] = challenge(error.code);
  return describe(status, error.code, error.message, headers);
}

/** A reason is told only to who came with a token (RFC 6750 section 3.1). */
function challenge(code: string): string {
  return code === 'invalid_token' ? 'Bearer error="invalid_token"' : 'Bearer';
}

/** An error for a program (RFC 9457). `context.id` lets its owner find the line in the log. */
export function problemResponse(error: unknown, context: { readonly id: string }): Response {
  const { headers, ...problem } = toProblem(error);
  const members = error instanceof AppError ? error.members : undefined;
  const body = { type: 'about:blank', ...problem, request_id: context.id, ...members };
  return new Response(JSON.stringify(body), {
    status: problem.status,
    headers: { ...headers, 'content-type': 'application/problem+json', 'cache-control': 'no-store' },
  });
}

function describe(
  status: number,
  code: string,
  detail: string,
  headers: Record<string, string> = {},
): Problem {
  return { status, title: TITLES[status] ?? 'Error', detail, code, headers };
}
