import type { SessionId, TokenHash } from '../sessions/model.ts';
import type { User, UserId } from '../users/model.ts';

/** Something that access tokens are for (RFC 9728). */
export interface ProtectedResource {
  readonly name: string;
  /** Its resource indicator (RFC 8707), as clients write it. */
  readonly resource: string;
  /** The one scope that it has. */
  readonly scope: string;
  /** The provider whose tokens it needs, of the person who connects. */
  readonly provider: string | undefined;
  mayUse(user: User): boolean;
}

/** What is kept of what a client says of itself. Logos and links are left out: nothing of a stranger's is ever fetched. */
export interface ClientMetadata {
  readonly name: string;
  readonly redirectUris: readonly string[];
}

/** Who consents, and in which browser session. */
export interface Consenter {
  readonly user: Pick<User, 'id'>;
  readonly session: { readonly id: SessionId };
}

/** A client; its name is what it says of itself. */
export interface OauthClient {
  readonly id: string;
  readonly name: string;
  readonly redirectUris: readonly string[];
  /** Named in the configuration, registered by itself, or a document at its address. */
  readonly kind: 'configured' | 'registered' | 'document';
  /** Whether it may show a code instead of redirecting. */
  readonly mayShowCode?: boolean;
}

/** An authorization request (RFC 6749 section 4.1.1) that has passed every check but the person's. */
export interface AuthorizationRequest {
  readonly clientId: string;
  readonly clientName: string;
  readonly redirectUri: string;
  readonly state: string | undefined;
  readonly codeChallenge: string;
  /** Of the one resource asked for, or chosen at consent. */
  readonly resource: string;
  readonly scope: string;
}

/** An authorization code. A redeemed one is kept with the session it gave. */
export interface AuthorizationCode extends Omit<AuthorizationRequest, 'state'> {
  readonly hash: TokenHash;
  readonly userId: UserId;
  readonly issuedBy: SessionId | undefined;
  readonly expiresAt: number;
  readonly redeemedAt: number | undefined;
  readonly sessionId: SessionId | undefined;
}

/** What a program without a browser asks for (RFC 8628), and what became of it. */
export interface DeviceRequest {
  /** Of the device code. */
  readonly hash: TokenHash;
  readonly clientId: string;
  readonly clientName: string;
  /** Indicators of what it may be about. */
  readonly resources: readonly string[];
  /** Where the program asked from. */
  readonly address: string | undefined;
  readonly status: 'pending' | 'approved' | 'denied' | 'redeemed';
  readonly userId: UserId | undefined;
  readonly issuedBy: SessionId | undefined;
  readonly resource: string | undefined;
  readonly scope: string | undefined;
  readonly sessionId: SessionId | undefined;
  readonly createdAt: number;
  readonly expiresAt: number;
}

/** Sent back to a client by redirect (RFC 6749 section 4.1.2.1, OpenID Connect Core section 3.1.2.6, RFC 8707 section 2). */
export type AuthorizationErrorCode =
  | 'invalid_request'
  | 'unauthorized_client'
  | 'access_denied'
  | 'unsupported_response_type'
  | 'invalid_scope'
  | 'invalid_target'
  | 'login_required'
  | 'consent_required';

/** A request of a known client with a good redirect URI that cannot be granted: the client is told. */
export class AuthorizationError extends Error {
  override readonly name = 'AuthorizationError';
  readonly code: AuthorizationErrorCode;

  constructor(code: AuthorizationErrorCode, description: string) {
    super(description);
    this.code = code;
  }
}
