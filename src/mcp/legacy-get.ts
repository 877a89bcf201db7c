import { LAST_EVENT_HEADER } from './constants.ts';
import { errorMessage, toErrorObject } from './failure.ts';
import { INTERNAL_ERROR, JsonRpcError, type JsonRpcId } from './json-rpc.ts';
import type { LegacySessionDeps } from './legacy-session.ts';
import { requireSession } from './legacy-session.ts';
import { parseEventId } from './logged-stream.ts';
import { encodeMessage, STREAM_HEADERS } from './message-stream.ts';
import { requireLegacyVersion } from './modern-request.ts';
import type { ProtocolSession } from './protocol-session.ts';
import type { RequestScope } from './request-scope.ts';

/**
 * GET of a legacy client: the stream of what belongs to no request, or the rest of a stream whose connection broke
 * (2025-11-25, transports, "Listening for Messages from the Server" and "Resumability and Redelivery").
 * The newest reader wins: the connection of an earlier one may be dead without our knowing.
 * @throws HttpRefusal, JsonRpcError.
 */
export function legacyGet(deps: LegacySessionDeps) {
  return (scope: RequestScope): Response => {
    const session = requireSession(deps, scope, null);
    requireLegacyVersion(scope.request.headers);
    const body = openBody(session, scope.request.headers.get(LAST_EVENT_HEADER));
    scope.keepOpen();
    return new Response(body, { headers: STREAM_HEADERS });
  };
}

/** DELETE of a legacy client: it says that it will not come back. */
export function legacyDelete(deps: LegacySessionDeps) {
  return async (scope: RequestScope): Promise<Response> => {
    await deps.sessions.end(requireSession(deps, scope, null));
    return new Response(null, { status: 204 });
  };
}

function openBody(session: ProtocolSession, lastEventId: string | null): ReadableStream | string {
  const last = lastEventId === null ? undefined : parseEventId(lastEventId);
  const stream = last === undefined ? undefined : session.findStream(last.key);
  if (last !== undefined && stream !== undefined) {
    return stream.open({ after: last.number, primed: session.isPrimed });
  }
  if (last?.requestId !== undefined) return lostRequest(last.requestId);
  return session.standalone().open({ after: 0, primed: session.isPrimed });
}

/** After a restart, or much later, nobody knows the request any more: better an error than a client that waits for ever. */
function lostRequest(id: JsonRpcId): string {
  const error = new JsonRpcError(
    INTERNAL_ERROR,
    'The answer to this request is not here any more. Send it again.',
  );
  return encodeMessage(errorMessage(id, toErrorObject(error)));
}
