import type { credentials, sessions } from '../db/schema/index.ts';
import type { UserId } from '../users/model.ts';
import {
  type Audience,
  type Credential,
  type RecognisedSession,
  type RevokeReason,
  type Session,
  type SessionId,
  sessionEndsAt,
} from './model.ts';

export function toSession(row: SessionRow): Session {
  return {
    ...toRecognisedSession(row),
    revokedAt: row.revokedAtMs ?? undefined,
    revokeReason: (row.revokeReason ?? undefined) as RevokeReason | undefined,
    origin: {
      provider: row.provider ?? undefined,
      providerSid: row.providerSid ?? undefined,
      address: row.address ?? undefined,
      userAgent: row.userAgent ?? undefined,
    },
    label: row.label ?? undefined,
    scope: row.scope ?? undefined,
    deviceId: row.deviceId ?? undefined,
    clientPublicKey: row.clientPublicKey ?? undefined,
  };
}

type SessionRow = typeof sessions.$inferSelect;
type RecognisedRow = Pick<
  SessionRow,
  | 'id'
  | 'kind'
  | 'userId'
  | 'parentId'
  | 'audience'
  | 'status'
  | 'createdAtMs'
  | 'lastSeenAtMs'
  | 'idleTimeoutMs'
  | 'expiresAtMs'
  | 'clientId'
>;

function toRecognisedSession(row: RecognisedRow): RecognisedSession {
  return {
    id: row.id as SessionId,
    kind: row.kind,
    userId: row.userId as UserId,
    parentId: (row.parentId ?? undefined) as SessionId | undefined,
    audience: row.audience as Audience[],
    status: row.status,
    createdAt: row.createdAtMs,
    lastSeenAt: row.lastSeenAtMs,
    idleTimeoutMs: row.idleTimeoutMs ?? undefined,
    expiresAt: row.expiresAtMs ?? undefined,
    clientId: row.clientId ?? undefined,
  };
}

export function fromSession(session: Session): Omit<typeof sessions.$inferInsert, 'userKey'> {
  return {
    id: session.id,
    kind: session.kind,
    userId: session.userId,
    parentId: session.parentId ?? null,
    audience: [...session.audience],
    status: session.status,
    revokedAtMs: session.revokedAt ?? null,
    revokeReason: session.revokeReason ?? null,
    createdAtMs: session.createdAt,
    lastSeenAtMs: session.lastSeenAt,
    idleTimeoutMs: session.idleTimeoutMs ?? null,
    expiresAtMs: session.expiresAt ?? null,
    reapAtMs: Number.isFinite(sessionEndsAt(session)) ? sessionEndsAt(session) : null,
    provider: session.origin.provider ?? null,
    providerSid: session.origin.providerSid ?? null,
    address: session.origin.address ?? null,
    userAgent: session.origin.userAgent ?? null,
    label: session.label ?? null,
    clientId: session.clientId ?? null,
    scope: session.scope ?? null,
    deviceId: session.deviceId ?? null,
    clientPublicKey: session.clientPublicKey ?? null,
  };
}

export function fromCredential(credential: Credential): Omit<typeof credentials.$inferInsert, 'sessionKey'> {
  return {
    hash: credential.hash,
    use: credential.use,
    expiresAtMs: credential.expiresAt ?? null,
    supersededAtMs: credential.supersededAt ?? null,
  };
}
