import { classifyDatabaseError } from '../db/errors.ts';
import { AppError } from '../lib/app-error.ts';
import type { Logger } from '../lib/log.ts';
import { PROTECTED_HOST_PREFIX } from './assets.ts';
import { errorPage } from './error-page.ts';
import { oauthErrorResponse } from './oauth-error.ts';
import type { PublicOrigin } from './origin.ts';
import { isOauthEndpoint, isProgramPath, requestPath } from './path.ts';
import { problemResponse, toProblem } from './problem.ts';
import { requestContext } from './request-context.ts';
import { setSecurityHeaders } from './security-headers.ts';

export interface ErrorAnswersDeps {
  log: Logger;
  origin: PublicOrigin;
}

/** Turns what was thrown into the answer to its request. The one place that builds an error body. */
export type ErrorAnswers = (error: unknown, request: Request) => Response;

/** A page for a person at a path for people, OAuth's JSON at its endpoints, `application/problem+json` otherwise; bugs and outages are logged. */
export function errorAnswers({ log, origin }: ErrorAnswersDeps): ErrorAnswers {
  const answerTo = (error: unknown, request: Request, context: { readonly id: string }) => {
    if (isOauthEndpoint(requestPath(request))) return oauthErrorResponse(error);
    if (!wantsPage(request)) return problemResponse(error, context);
    return errorPage(toProblem(error), { requestId: context.id, assetsBase: assetsBase(request, origin) });
  };
  return (thrown, request) => {
    const context = requestContext(request);
    const error = classify(thrown);
    report(log, error, context.id);
    const response = answerTo(error, request, context);
    setSecurityHeaders(response.headers, undefined, origin);
    return response;
  };
}

/** The answer to a method that a path does not take: it says which ones it does (RFC 9110 section 15.5.6). */
export function refuseMethod(errors: ErrorAnswers, request: Request, methods: readonly string[]): Response {
  const refusal = new AppError(
    'method_not_allowed',
    'method_not_allowed',
    'This path does not take that method.',
  );
  const response = errors(refusal, request);
  response.headers.set('allow', methods.join(', '));
  return response;
}

/** On a protected host only one prefix leads to us. */
function assetsBase({ headers }: Request, origin: PublicOrigin): string {
  return headers.get('host') === origin.host ? '' : PROTECTED_HOST_PREFIX;
}

function wantsPage(request: Request): boolean {
  const accept = request.headers.get('accept') ?? '';
  return accept.includes('text/html') && !isProgramPath(requestPath(request));
}

function report(log: Logger, error: unknown, requestId: string): void {
  if (!(error instanceof AppError)) {
    const stack = error instanceof Error ? error.stack : undefined;
    log.error('a request failed', { request_id: requestId, error, stack });
  } else if (error.kind === 'unavailable') {
    log.warn('a request could not be served', { request_id: requestId, code: error.code, error });
  }
}

/**
 * What the router, the database and the runtime throw, in our words: their own quote what was sent in.
 * Whatever it does not know is returned as it is, for it is a bug.
 */
function classify(thrown: unknown): unknown {
  if (thrown instanceof AppError) return thrown;
  const error = classifyDatabaseError(thrown);
  return error instanceof AppError ? error : (fromRouter(error) ?? error);
}

/** Errors of the router by their codes (https://elysiajs.com/patterns/error-handling). */
function fromRouter(error: unknown): AppError | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  switch (error.code) {
    case 'NOT_FOUND':
      return notFound();
    case 'VALIDATION':
      return new AppError(
        'unprocessable',
        'invalid_request',
        'The request does not fit what is expected here.',
      );
    case 'PARSE':
      return new AppError('bad_request', 'malformed_body', 'The body is malformed.');
    case 'INVALID_COOKIE_SIGNATURE':
      return new AppError('bad_request', 'malformed_cookie', 'A cookie is malformed.');
    case 'INVALID_FILE_TYPE':
      return new AppError(
        'unsupported_media_type',
        'unsupported_media_type',
        'This type of file is not accepted.',
      );
    default:
      return undefined;
  }
}

export const notFound = () => new AppError('not_found', 'not_found', 'There is nothing at this address.');
