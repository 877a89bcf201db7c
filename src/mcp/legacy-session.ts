import type { AuditEntry } from '../audit/model.ts';
import type { Clock } from '../lib/clock.ts';
import { PROTOCOL_SESSION_NOT_FOUND, SESSION_HEADER } from './constants.ts';
import { HttpRefusal } from './http-refusal.ts';
import { INVALID_REQUEST, JsonRpcError, type JsonRpcId } from './json-rpc.ts';
import type { ProtocolSession } from './protocol-session.ts';
import type { ProtocolSessions } from './protocol-sessions.ts';
import type { RequestScope } from './request-scope.ts';

export interface LegacySessionDeps {
  sessions: ProtocolSessions;
  audit: { note(entry: AuditEntry): void };
  clock: Clock;
}

/**
 * The protocol session that a request names. Another's is answered like one that never was, and clients know that 404
 * means to begin again (2025-11-25, transports, "Session Management").
 * @throws HttpRefusal 400 when none is named, 404 when there is none for this caller.
 */
export function requireSession(
  { sessions, audit, clock }: LegacySessionDeps,
  { request, holder, address }: RequestScope,
  id: JsonRpcId | null,
): ProtocolSession {
  const named = request.headers.get(SESSION_HEADER);
  if (named === null) {
    const error = new JsonRpcError(
      INVALID_REQUEST,
      'The header Mcp-Session-Id is missing; initialize first.',
    );
    throw new HttpRefusal(400, error, id);
  }
  const found = sessions.find(named, holder);
  if (typeof found !== 'string') return found;
  audit.note({
    at: clock.now(),
    action: 'mcp.denied',
    outcome: 'refused',
    actorUserId: holder.user.id,
    sessionId: holder.session.id,
    address,
    detail: { backend: holder.backend.name, reason: `protocol_session_${found}` },
  });
  throw new HttpRefusal(404, new JsonRpcError(PROTOCOL_SESSION_NOT_FOUND, 'Session not found'), id);
}
