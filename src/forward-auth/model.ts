import type { SessionId, TokenHash } from '../sessions/model.ts';
import type { UserId } from '../users/model.ts';

/** Carries a sign-in from the appliance's origin to one protected host, in one browser, once. */
export interface HostTicket {
  /** SHA-256 of the ticket: all that is kept of it. */
  readonly hash: TokenHash;
  readonly host: string;
  readonly userId: UserId;
  /** The browser session on the appliance's own origin that asked for it. */
  readonly parentSessionId: SessionId;
  /** SHA-256 of the flow cookie that the browser holds on that host. */
  readonly flowHash: TokenHash;
  /** Path and query on that host. */
  readonly returnPath: string;
  readonly expiresAt: number;
}

/** Why a check, or a step of the sign-in to a protected host, was refused. Goes into audit rows and metrics. */
export type RefusalReason =
  | 'untrusted_peer'
  | 'forwarded_headers'
  | 'unprotected_host'
  | 'insecure_scheme'
  | 'ambiguous_path'
  | 'unmatched_path'
  | 'postern_path'
  | 'disguised_header'
  | 'foreign_upgrade'
  | 'bad_cookie'
  | 'not_allowed'
  | 'cross_origin';
