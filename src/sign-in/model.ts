import type { Branded } from '../lib/brand.ts';
import type { SessionId, SessionToken } from '../sessions/model.ts';
import type { IdentityClaims, User } from '../users/model.ts';

/** Also the `state` parameter (RFC 6749 section 4.1.1); what binds it to a browser is that browser's cookie. */
export type AttemptId = Branded<`att_${string}`, 'AttemptId'>;

/** What an attempt is for: an ordinary sign-in, the first owner, or somebody who was invited. */
export type AttemptPurpose = 'sign_in' | 'setup' | 'invitation';

/** A sign-in at a provider that has begun. */
export interface Attempt {
  readonly id: AttemptId;
  readonly provider: string;
  /** A path of ours, or a URL on a protected host; checked when the attempt began. */
  readonly returnTo: string;
  readonly purpose: AttemptPurpose;
  readonly invitationId: string | undefined;
  /** The session of this browser when it began; ending that session voids the attempt. */
  readonly startedBySessionId: SessionId | undefined;
  readonly createdAt: number;
  readonly expiresAt: number;
}

/** Tokens as a provider answered them, in the clear. Never logged. */
export interface ProviderTokens {
  readonly accessToken: string;
  readonly refreshToken: string | undefined;
  /** Epoch milliseconds; absent where the provider names no end. */
  readonly expiresAt: number | undefined;
  /** What was granted, as the provider says it. */
  readonly scope: string | undefined;
  /** When they were asked for, epoch milliseconds. */
  readonly obtainedAt: number;
}

/** What a provider answered for one attempt, with everything about it checked. */
export interface ProviderAnswer {
  readonly claims: IdentityClaims;
  /** The provider's own session (`sid`, OpenID Connect Back-Channel Logout section 2.1). */
  readonly sid: string | undefined;
  /** For `id_token_hint`; absent where a provider has no ID tokens. */
  readonly idToken: string | undefined;
  /** For those who may need them; absent when they cannot be used. */
  readonly tokens: ProviderTokens | undefined;
}

/** Why a sign-in came to nothing. Inside, so that audit and metrics can tell; outside there are a few pages. */
export type SignInRefusal =
  /** `state` is missing, unknown, used already, voided or expired. */
  | 'attempt_unknown'
  /** This browser did not begin the attempt. */
  | 'other_browser'
  /** The attempt was begun at another provider. */
  | 'other_provider'
  /** The person or the provider said no (`access_denied`). */
  | 'denied_at_provider'
  /** The provider reported an error of its own. */
  | 'provider_error'
  /** The provider cannot be reached, or is in trouble. */
  | 'provider_unavailable'
  /** What the provider or somebody in its name sent does not hold: issuer, signature, audience, nonce, code. */
  | 'answer_invalid'
  /** `allow` does not name the person. */
  | 'not_allowed'
  | 'user_disabled'
  /** A logout arrived while the sign-in was under way. */
  | 'ended_meanwhile'
  /** The setup link or the invitation that this was to complete is no longer good. */
  | 'purpose_over';

/** The browser that asks. */
export interface SignInVisitor {
  readonly address: string;
  readonly userAgent: string | undefined;
  /** The session it holds already, which a new one replaces. */
  readonly sessionId: SessionId | undefined;
}

export type SignInOutcome =
  | { readonly ok: true; readonly token: SessionToken; readonly user: User; readonly returnTo: string }
  | {
      readonly ok: false;
      readonly refusal: SignInRefusal;
      /** Where the person can sign out at the provider, to come back as somebody else. */
      readonly signOutUrl: string | undefined;
    };

/** Aborts the transaction in which it is thrown. */
export class SignInRefused extends Error {
  override readonly name = 'SignInRefused';
  readonly refusal: SignInRefusal;

  constructor(refusal: SignInRefusal, options: { cause?: unknown } = {}) {
    super(`the sign-in is refused: ${refusal}`, options);
    this.refusal = refusal;
  }
}
