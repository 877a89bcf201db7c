import type { ProviderTokens } from '../sign-in/model.ts';
import type { AuthorizationChecks } from '../sign-in/provider.ts';
import type { UpstreamAccount } from './model.ts';

/** What came of asking for new tokens. Only `invalid_grant` is for good; the others are worth another try. */
export type RefreshAnswer =
  | { readonly kind: 'tokens'; readonly tokens: ProviderTokens }
  | { readonly kind: 'invalid_grant' }
  | {
      readonly kind: 'unavailable' | 'refused';
      /** When the provider asks to be left alone until, in milliseconds from now. */
      readonly retryAfterMs: number | undefined;
      readonly error: unknown;
    };

/** A service that hands out tokens for its accounts. */
export interface UpstreamProvider {
  readonly name: string;
  /** What people read. */
  readonly label: string;
  /** Where the browser goes. @throws AppError `unavailable` (`provider_unavailable`) when the provider is down. */
  authorizationUrl(checks: AuthorizationChecks): Promise<URL>;
  /**
   * Turns the provider's answer, the query of the callback, into tokens and the account they belong to.
   * @throws LinkRefused for anything that does not hold.
   */
  redeem(
    query: URLSearchParams,
    checks: AuthorizationChecks,
  ): Promise<{ readonly tokens: ProviderTokens; readonly account: UpstreamAccount }>;
  /** Asks for new tokens (RFC 6749 section 6). Never rejects. */
  refresh(refreshToken: string): Promise<RefreshAnswer>;
  /**
   * Tells the provider that the tokens are not needed any more (RFC 7009). `false`: it has no way to be told.
   * @throws when it could not be told.
   */
  revoke(tokens: {
    readonly accessToken: string | undefined;
    readonly refreshToken: string | undefined;
  }): Promise<boolean>;
}
