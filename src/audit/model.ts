/** Everything that grants or ends access, and every refusal that matters. Add the action here before you record it. */
export type AuditAction =
  | 'setup.completed'
  | 'user.created'
  | 'user.disabled'
  | 'user.enabled'
  | 'user.removed'
  | 'user.role_changed'
  | 'user.password_changed'
  | 'user.password_reset_issued'
  | 'user.email_taken'
  | 'invitation.created'
  | 'invitation.used'
  | 'invitation.voided'
  | 'sign_in'
  | 'sign_in.rate_limited'
  | 'sign_out'
  | 'session.created'
  | 'session.revoked'
  | 'sessions.revoked_everywhere'
  | 'token.created'
  | 'token.revoked'
  | 'backchannel_logout'
  | 'forward_auth.denied'
  | 'forward_auth.ticket'
  | 'csrf.refused'
  | 'device.denied'
  | 'delivery.queued'
  | 'delivery.received'
  | 'delivery.cancelled'
  | 'guest_link.created'
  | 'guest_link.used'
  | 'guest_link.ended'
  | 'mcp.call'
  | 'mcp.denied'
  | 'upstream.linked'
  | 'upstream.unlinked'
  | 'upstream.ended'
  | 'secret.stored'
  | 'secret.removed'
  | 'oauth.client_registered'
  | 'oauth.consented'
  | 'oauth.denied'
  | 'oauth.granted'
  | 'oauth.code_reused'
  | 'oauth.token_reused'
  | 'user_code.rate_limited'
  | 'device.join_approved'
  | 'device.join_denied'
  | 'pairing.created'
  | 'pairing.cancelled'
  | 'pairing.refused'
  | 'device.paired'
  | 'device.token_repeated'
  | 'device.key_rotated'
  | 'device.changed'
  | 'device.unpaired'
  | 'device.cloned'
  | 'device.stream_ended'
  | 'device.tunnel_ended'
  | 'keys.rotated'
  | 'restored';

/** Ids, names of providers and reasons; never a secret, an address of a page, or text that a stranger typed. */
export type AuditDetail = Record<string, string | number | boolean>;

export interface AuditEntry {
  /** Epoch milliseconds. */
  at: number;
  action: AuditAction;
  outcome: 'success' | 'refused';
  /** Who did it; absent for strangers and for the appliance itself. */
  actorUserId?: string | undefined;
  /** Whom it concerns, where that is somebody else or nobody acted. */
  subjectUserId?: string | undefined;
  sessionId?: string | undefined;
  address?: string | undefined;
  userAgent?: string | undefined;
  detail?: AuditDetail | undefined;
}

/** An entry as it is kept. */
export interface AuditRow {
  readonly id: number;
  readonly atMs: number;
  readonly action: string;
  readonly outcome: 'success' | 'refused';
  readonly actorUserId: string | null;
  readonly subjectUserId: string | null;
  readonly sessionId: string | null;
  readonly address: string | null;
  readonly userAgent: string | null;
  readonly detail: AuditDetail | null;
}
