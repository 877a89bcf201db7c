import type { AuditEntry } from '../audit/model.ts';
import { bearerToken } from '../http/bearer.ts';
import { problemResponse } from '../http/problem.ts';
import { requestContext } from '../http/request-context.ts';
import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import { resourceAudience } from '../sessions/audience.ts';
import type { Authentication, Ledger } from '../sessions/ledger.ts';
import type { Holder } from './exchange.ts';
import type { Backend } from './model.ts';

export interface McpGuardDeps {
  ledger: Pick<Ledger, 'authenticate'>;
  audit: { note(entry: AuditEntry): void };
  clock: Clock;
  /** `WWW-Authenticate` of a protected resource (RFC 9728 section 5.1): one `resource_metadata`, one `scope`. */
  wwwAuthenticate: (backend: Backend, error?: 'invalid_token') => string;
}

/** What a caller is let in with, or the answer that keeps it out. */
export type Admission = Holder | Response;

export interface McpGuard {
  readonly challenge: string;
  /** Who sends this request. Nothing of it has been read or done before. @throws AppError `forbidden` (`mcp_not_allowed`). */
  admit(request: Request): Admission | Promise<Admission>;
}

/** The door of one backend: an access token of this very resource, in the header, from somebody who may use it. */
export function mcpGuard(
  backend: Backend,
  { ledger, audit, clock, wwwAuthenticate }: McpGuardDeps,
): McpGuard {
  const audience = resourceAudience(backend.resource);
  const challenge = wwwAuthenticate(backend);
  const refusal = wwwAuthenticate(backend, 'invalid_token');

  const keepOut = (request: Request, wasGiven: boolean): Response => {
    const error = wasGiven ? invalidToken() : noToken();
    const response = problemResponse(error, requestContext(request));
    response.headers.set('www-authenticate', wasGiven ? refusal : challenge);
    response.headers.set('x-content-type-options', 'nosniff');
    return response;
  };

  const note = (request: Request, reason: string, found: Authentication) => {
    const { address, userAgent } = requestContext(request);
    const who = found.ok ? { actorUserId: found.user.id, sessionId: found.session.id } : {};
    const detail = { backend: backend.name, reason };
    audit.note({
      at: clock.now(),
      action: 'mcp.denied',
      outcome: 'refused',
      ...who,
      address,
      userAgent,
      detail,
    });
  };

  const judge = (request: Request, found: Authentication): Admission => {
    if (!found.ok) {
      if (found.reason === 'other_audience' || found.reason === 'revoked') note(request, found.reason, found);
      return keepOut(request, true);
    }
    const { session, user } = found;
    if (backend.mayUse(user)) return { session, user, backend };
    note(request, 'not_allowed', found);
    throw new AppError('forbidden', 'mcp_not_allowed', 'You may not use this server.');
  };

  return {
    challenge,
    admit(request) {
      const token = bearerToken(request);
      // A token in a URL ends up in logs and histories (RFC 9700 section 4.3.2); one beside it makes it no better.
      if (hasTokenInQuery(request.url)) return keepOut(request, true);
      if (token === undefined) return keepOut(request, false);
      const found = ledger.authenticate(token, 'access', audience);
      if (!(found instanceof Promise)) return judge(request, found);
      return found.then((late) => judge(request, late));
    },
  };
}

/** Read from the text: parsing the URL of every call would cost more than the rest of this. */
function hasTokenInQuery(url: string): boolean {
  const query = url.indexOf('?');
  return query !== -1 && new URLSearchParams(url.slice(query)).has('access_token');
}

const noToken = () => new AppError('unauthorized', 'token_required', 'This needs an access token.');
const invalidToken = () =>
  new AppError('unauthorized', 'invalid_token', 'This token is not valid here, or not any more.');
