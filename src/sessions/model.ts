import type { Branded } from '../lib/brand.ts';
import type { User, UserId } from '../users/model.ts';

export type SessionId = Branded<`ses_${string}`, 'SessionId'>;
/** The secret in a cookie or a header. Never stored, never logged. */
export type SessionToken = Branded<string, 'SessionToken'>;
/** SHA-256 of a token, base64url: all that a store ever holds of it. */
export type TokenHash = Branded<string, 'TokenHash'>;

export type SessionKind = 'user' | 'grant' | 'device';
export type CredentialUse = 'cookie' | 'access' | 'refresh' | 'device' | 'personal';

/**
 * One place where a session's credentials are good; elsewhere they are unknown.
 * Written by the functions of `audience.ts` only.
 */
export type Audience = Branded<string, 'Audience'>;

export type RevokeReason =
  | 'signed_out'
  | 'ended_by_user'
  | 'ended_by_owner'
  | 'everywhere'
  | 'replaced'
  | 'provider_logout'
  | 'user_disabled'
  | 'user_removed'
  | 'parent_ended'
  | 'client_revoked'
  | 'code_reused'
  | 'token_reused'
  /** The tokens at a provider that a grant stood on are gone. */
  | 'upstream_ended'
  /** A device was unpaired. */
  | 'unpaired'
  /** The guest link that a session came from has ended. */
  | 'guest_link_ended'
  /** Another program that reads and writes the events of sessions said so. */
  | 'revoked_elsewhere'
  | 'restored';

/** Where a session came from: shown to its user, so that a strange one is recognised. */
export interface SessionOrigin {
  readonly provider: string | undefined;
  /** The provider's own session id (`sid`, OpenID Connect Back-Channel Logout section 2.1). */
  readonly providerSid: string | undefined;
  readonly address: string | undefined;
  readonly userAgent: string | undefined;
}

export interface Session {
  readonly id: SessionId;
  readonly kind: SessionKind;
  readonly userId: UserId;
  /** Set on child sessions (other hosts) and guest sessions only. */
  readonly parentId: SessionId | undefined;
  readonly audience: readonly Audience[];
  readonly status: 'active' | 'revoked';
  readonly revokedAt: number | undefined;
  readonly revokeReason: RevokeReason | undefined;
  readonly createdAt: number;
  readonly lastSeenAt: number;
  readonly idleTimeoutMs: number | undefined;
  /** The absolute end, epoch milliseconds. */
  readonly expiresAt: number | undefined;
  readonly origin: SessionOrigin;
  /** What its user calls it; personal tokens have one. */
  readonly label: string | undefined;
  /** The OAuth client of a grant; `personal` for personal tokens. */
  readonly clientId: string | undefined;
  /** What an OAuth client was granted, as `scope` (RFC 6749 section 3.3). */
  readonly scope: string | undefined;
  /** The device of a device session. */
  readonly deviceId: string | undefined;
  /** The Ed25519 key that a device signs its requests with: base64url of its 32 bytes. */
  readonly clientPublicKey: string | undefined;
}

/** What requests that a device signs are judged by. */
export interface DeviceSigner {
  readonly deviceId: string;
  /** Base64url of the 32 bytes. */
  readonly publicKey: string;
}

export interface Credential {
  readonly hash: TokenHash;
  readonly sessionId: SessionId;
  readonly use: CredentialUse;
  readonly expiresAt: number | undefined;
  readonly supersededAt: number | undefined;
  /** Where the credential is a device's key and no token: its `hash` is then the id of the session. */
  readonly signer?: DeviceSigner;
}

/** What of a session decides a request. The rest is for people to look at: reading it would double the cost of a look-up. */
export type RecognisedSession = Omit<
  Session,
  'origin' | 'label' | 'scope' | 'revokedAt' | 'revokeReason' | 'deviceId' | 'clientPublicKey'
>;

/** A session with the person it belongs to, as a store reads them in one go. */
export interface SessionWithUser {
  readonly session: RecognisedSession;
  readonly user: User;
}

/** What a store knows of one credential. */
export interface FoundCredential extends SessionWithUser {
  readonly credential: Credential;
}

/** Finds what a credential stands for. Absence is `undefined`; only an outage throws, or rejects. */
export interface CredentialReader {
  /** `use`: what its token says that it is for, which tells where to look. */
  findByHash(
    hash: TokenHash,
    use: CredentialUse,
  ): FoundCredential | undefined | Promise<FoundCredential | undefined>;
  /** The key of a device session, as a credential with its `signer`. */
  findSigner(id: SessionId): FoundCredential | undefined | Promise<FoundCredential | undefined>;
}

/** The whole session as it stands after a change, and what changed. */
export interface SessionSnapshot {
  readonly change: 'created' | 'changed' | 'revoked';
  readonly session: Session;
}

/** The instant a session ends by itself: `min(last seen + idle, absolute)`; `Infinity` when nothing ends it. */
export function sessionEndsAt(session: Pick<Session, 'lastSeenAt' | 'idleTimeoutMs' | 'expiresAt'>): number {
  const idleEnd = session.idleTimeoutMs === undefined ? Infinity : session.lastSeenAt + session.idleTimeoutMs;
  return Math.min(idleEnd, session.expiresAt ?? Infinity);
}

/** Whether the session grants anything at `now` (epoch milliseconds). */
export function isLive(
  session: Pick<Session, 'status' | 'lastSeenAt' | 'idleTimeoutMs' | 'expiresAt'>,
  now: number,
): boolean {
  return session.status === 'active' && now < sessionEndsAt(session);
}
