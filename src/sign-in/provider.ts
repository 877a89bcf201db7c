import type { ProviderConfig } from '../config/schema.ts';
import type { ProviderAnswer } from './model.ts';

/** What one attempt sends along and expects back. */
export interface AuthorizationChecks {
  readonly state: string;
  readonly nonce: string;
  readonly codeVerifier: string;
}

/** What a logout token told, once everything about it held (OpenID Connect Back-Channel Logout section 2.6). */
export interface LogoutNotice {
  readonly issuer: string;
  readonly subject: string | undefined;
  readonly sid: string | undefined;
  readonly jti: string;
  /** From when on the token is refused by its own times. Epoch milliseconds. */
  readonly expiresAt: number;
}

export interface EndSessionRequest {
  readonly idTokenHint: string | undefined;
  readonly state: string;
}

/** A place where people sign in. OpenID providers are one implementation, GitHub is the other. */
export interface Provider {
  readonly name: string;
  /** What its button says. */
  readonly label: string;
  readonly allow: ProviderConfig['allow'];
  readonly owners: ProviderConfig['owners'];
  /** Whether it answered when it was last asked; its button says so. */
  isAvailable(): boolean;
  /** Learns what the provider publishes about itself, where that is unknown or old. Never rejects. */
  refresh(): Promise<void>;
  /** Where the browser goes. @throws AppError `unavailable` (`provider_unavailable`) when the provider is down. */
  authorizationUrl(checks: AuthorizationChecks): Promise<URL>;
  /**
   * Turns the provider's answer, the query of the callback, into who signed in.
   * @throws SignInRefused for anything that does not hold.
   */
  redeem(query: URLSearchParams, checks: AuthorizationChecks): Promise<ProviderAnswer>;
  /** Where a browser ends its session there (OpenID Connect RP-Initiated Logout section 2), if it can. */
  endSessionUrl(request: EndSessionRequest): URL | undefined;
  /**
   * Reads a logout token; absent where a provider sends none.
   * @throws AppError `bad_request` (`invalid_logout_token`) or `unavailable` (`provider_unavailable`).
   */
  readLogoutToken?(token: string): Promise<LogoutNotice>;
}
