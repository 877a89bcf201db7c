import type { UserId } from '../users/model.ts';

/** An access token as it may be used now. Never logged, never shown. */
export interface UpstreamToken {
  readonly accessToken: string;
  /** Epoch milliseconds; absent where the provider names no end. */
  readonly expiresAt: number | undefined;
  /** Grows with every token of this person at this provider: what was started with a lower one is out of date. */
  readonly version: number;
}

/** A token that is committed and takes the place of the one before it. */
export interface UpstreamChange {
  readonly userId: UserId;
  readonly provider: string;
  readonly token: UpstreamToken;
}

/** A person and a provider whose tokens something that runs was given. */
export interface UpstreamDependent {
  readonly userId: UserId;
  readonly provider: string;
}

/** What other features may know of the tokens that people let us hold at providers. */
export interface UpstreamTokens {
  /**
   * The access token to use now for this person at this provider; it is refreshed first when that is due.
   * `undefined`: not linked, or to be linked again.
   * @throws AppError `unavailable` (`upstream_unavailable`) past the token's real expiry while the provider is down.
   */
  current(userId: UserId, provider: string): Promise<UpstreamToken | undefined>;
  /** Whether there is a grant that can be used. Synchronous: one indexed read. */
  isLinked(userId: UserId, provider: string): boolean;
  /** Told after a refresh, or another link of the same provider, has been committed. */
  onRefreshed(listener: (change: UpstreamChange) => void): Disposable;
  /** Told when a grant is gone (unlinked, `invalid_grant`): what depended on it has ended in the same transaction. */
  onEnded(listener: (ended: UpstreamDependent) => void): Disposable;
  /** A secret that this person pasted; `undefined` when there is none. */
  secret(userId: UserId, name: string): string | undefined;
  /** Told when a pasted secret has been stored, replaced or removed. */
  onSecretChanged(listener: (change: { readonly userId: UserId; readonly name: string }) => void): Disposable;
  /** Page of ours where a person links this provider and from which they come back to `returnTo`, a path of ours. */
  linkUrl(provider: string, returnTo: string): string;
}
