import { instantText } from '../lib/instant.ts';
import { guestLinkOf, hostsOf } from './audience.ts';
import type { SessionEventDto } from './dto.ts';
import { type Session, sessionEndsAt } from './model.ts';

/** What programs are told of a session. The schemas of it stand apart (`dto.ts`): a start has no use for them. */

export function toSessionEvent(session: Session): SessionEventDto {
  return { session: toSessionFields(session), reason: session.revokeReason ?? null };
}

/** A session without what depends on who asks. */
export function toSessionFields(session: Session) {
  const endsAt = sessionEndsAt(session);
  return {
    id: session.id,
    kind: session.kind,
    parent_id: session.parentId ?? null,
    host: session.kind === 'user' ? (hostsOf(session.audience)[0] ?? null) : null,
    label: session.label ?? null,
    device_id: session.deviceId ?? null,
    guest_link_id: guestLinkOf(session) ?? null,
    client_id: session.clientId ?? null,
    provider: session.origin.provider ?? null,
    address: session.origin.address ?? null,
    user_agent: session.origin.userAgent ?? null,
    created_at: instantText(session.createdAt),
    last_seen_at: instantText(session.lastSeenAt),
    expires_at: endsAt === Infinity ? null : instantText(endsAt),
  };
}
