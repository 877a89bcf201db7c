import type { TokenEndpointResponse } from 'openid-client';
import type { ProviderTokens } from './model.ts';

/** RFC 6749 appendix A.12 and A.17; also what an environment variable or a header takes without breaking. */
const TOKEN = /^[\x20-\x7e]{1,16384}$/;

/**
 * The tokens of an answer; `undefined` when they are nothing that may be handed on.
 * @param obtainedAt when they were asked for, epoch milliseconds: lifetimes are counted from there, never from later.
 */
export function toProviderTokens(
  answer: Pick<TokenEndpointResponse, 'access_token' | 'refresh_token' | 'expires_in' | 'scope'>,
  obtainedAt: number,
): ProviderTokens | undefined {
  const { access_token, refresh_token, expires_in, scope } = answer;
  const given = refresh_token === undefined ? [access_token] : [access_token, refresh_token];
  if (!given.every((token) => TOKEN.test(token))) return undefined;
  return {
    accessToken: access_token,
    refreshToken: refresh_token,
    expiresAt: expires_in === undefined ? undefined : obtainedAt + expires_in * 1_000,
    scope: scope?.slice(0, 2_000),
    obtainedAt,
  };
}
