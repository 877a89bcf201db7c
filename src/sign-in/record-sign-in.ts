import type { AuditDetail } from '../audit/model.ts';
import type { AuditRecorder } from '../audit/recorder.ts';
import type { Tx } from '../db/write.ts';
import type { Session } from '../sessions/model.ts';

/** The audit row of a sign-in, written with the session it opened. */
export function recordSignIn(
  audit: AuditRecorder,
  tx: Tx,
  { id, userId, createdAt, origin: { address, userAgent } }: Session,
  detail: AuditDetail,
): void {
  audit.record(tx, {
    at: createdAt,
    action: 'sign_in',
    outcome: 'success',
    actorUserId: userId,
    sessionId: id,
    address,
    userAgent,
    detail,
  });
}
