import { classifyDatabaseError } from '../db/errors.ts';
import { statusOf } from '../http/problem.ts';
import { AppError } from '../lib/app-error.ts';
import type { Logger } from '../lib/log.ts';
import { LEGACY_RESOURCE_NOT_FOUND } from './constants.ts';
import { type DescribeFailure, type Failure, type FailureContext, toErrorObject } from './failure.ts';
import { HttpRefusal } from './http-refusal.ts';
import {
  HEADER_MISMATCH,
  INTERNAL_ERROR,
  INVALID_PARAMS,
  INVALID_REQUEST,
  JsonRpcError,
  METHOD_NOT_FOUND,
  MISSING_CLIENT_CAPABILITY,
  PARSE_ERROR,
  UNSUPPORTED_PROTOCOL_VERSION,
} from './json-rpc.ts';

/**
 * What an error becomes outside. A backend's own are passed on; ours say little; bugs are logged and say nothing.
 * HTTP statuses follow 2026-07-28 (transports, "Error handling"); legacy clients find errors in the body of a 200.
 */
export function failureDescriber(log: Logger): DescribeFailure {
  return (thrown, context) => {
    const error = thrown instanceof Error ? (classifyDatabaseError(thrown) ?? thrown) : thrown;
    if (error instanceof HttpRefusal) {
      return { status: error.status, headers: undefined, error: toErrorObject(error.error) };
    }
    if (error instanceof JsonRpcError) return ofJsonRpc(error, context);
    if (error instanceof AppError) return ofAppError(error, context);
    const stack = error instanceof Error ? error.stack : undefined;
    log.error('an MCP request failed', { error, stack });
    const message = 'Something went wrong here. The log has the details.';
    return { status: 500, headers: undefined, error: { code: INTERNAL_ERROR, message } };
  };
}

function ofJsonRpc(error: JsonRpcError, context: FailureContext): Failure {
  const shown = context.era === 'modern' ? inModernWords(error) : error;
  return { status: statusFor(shown.code, context), headers: undefined, error: toErrorObject(shown) };
}

/** Refusals of a request as such, whoever sent it. */
const ALWAYS_BAD_REQUEST = [PARSE_ERROR, INVALID_REQUEST, HEADER_MISMATCH, UNSUPPORTED_PROTOCOL_VERSION];

function statusFor(code: number, { era, origin }: FailureContext): number {
  if (era === 'legacy') return origin === 'front' && ALWAYS_BAD_REQUEST.includes(code) ? 400 : 200;
  if (code === METHOD_NOT_FOUND) return 404;
  if (code === MISSING_CLIENT_CAPABILITY || code === HEADER_MISMATCH) return 400;
  return origin === 'front' ? 400 : 200;
}

function inModernWords(error: JsonRpcError): JsonRpcError {
  if (error.code !== LEGACY_RESOURCE_NOT_FOUND) return error;
  return new JsonRpcError(INVALID_PARAMS, error.message, error.data);
}

function ofAppError(
  { kind, code, message, retryAfterSeconds }: AppError,
  { challenge }: FailureContext,
): Failure {
  const headers: Record<string, string> = {};
  if (retryAfterSeconds !== undefined) headers['retry-after'] = String(retryAfterSeconds);
  if (kind === 'unauthorized') headers['www-authenticate'] = challenge;
  return { status: statusOf(kind), headers, error: { code: INTERNAL_ERROR, message, data: { code } } };
}
