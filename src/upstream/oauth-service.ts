import type { Configuration, TokenEndpointResponse, TokenEndpointResponseHelpers } from 'openid-client';
import type { OpenidClient } from '../sign-in/oidc-connection.ts';
import type { UpstreamAccount } from './model.ts';

/** A service that can be asked. */
export interface ServiceConnection {
  readonly client: OpenidClient;
  readonly configuration: Configuration;
}

export type TokenAnswer = TokenEndpointResponse & TokenEndpointResponseHelpers;

/** What tells one kind of service from another; everything else is OAuth (`oauth-provider.ts`). */
export interface OAuthService {
  /** What people read where the configuration gives no label. */
  readonly label: string;
  /** @throws AppError `unavailable` (`provider_unavailable`). */
  connect(): Promise<ServiceConnection>;
  /** What is asked for. */
  scopesFor(connection: ServiceConnection): readonly string[];
  /** Parameters of the authorization request that this kind needs. */
  paramsFor(connection: ServiceConnection): Readonly<Record<string, string>>;
  /** Whose tokens these are. @throws when the service does not say. */
  accountOf(connection: ServiceConnection, answer: TokenAnswer): Promise<UpstreamAccount>;
  /** Codes of refresh errors that mean: link again. */
  readonly endingErrors: readonly string[];
  /** Whether answers carry ID tokens, which are then checked with the nonce. */
  readonly hasIdTokens: boolean;
  /** A way of its own to be told that tokens are not needed; absent: RFC 7009, where the service offers it. */
  revoke?(accessToken: string): Promise<void>;
}
