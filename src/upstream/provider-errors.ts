import { causes, isOutage, type ProtocolError, refusalOf } from '../sign-in/provider-errors.ts';
import { LinkRefused } from './model.ts';
import type { RefreshAnswer } from './provider.ts';

/** RFC 6585 section 4. */
const TOO_MANY_REQUESTS = 429;

/**
 * Which failure an error of a refresh is.
 * @param endingErrors codes by which this provider says that the refresh token is good no more.
 */
export function refreshFailure(error: unknown, endingErrors: readonly string[]): RefreshAnswer {
  const chain = causes(error);
  const retryAfterMs = retryAfterOf(chain);
  if (chain.some(isOutage) || chain.some(({ status }) => status === TOO_MANY_REQUESTS)) {
    return { kind: 'unavailable', retryAfterMs, error };
  }
  const code = chain.map((each) => each.error).find((each) => typeof each === 'string');
  if (code !== undefined && endingErrors.includes(code)) return { kind: 'invalid_grant' };
  return { kind: 'refused', retryAfterMs, error };
}

const TOLD_APART = ['denied_at_provider', 'provider_error', 'provider_unavailable'] as const;

/** Why a link came to nothing. */
export function linkRefused(error: unknown): LinkRefused {
  if (error instanceof LinkRefused) return error;
  const found = refusalOf(error);
  const refusal = TOLD_APART.find((each) => each === found) ?? 'answer_invalid';
  return new LinkRefused(refusal, { cause: error });
}

/** `Retry-After` in seconds (RFC 9110 section 10.2.3); its other form, a date, is left aside. */
function retryAfterOf(chain: readonly ProtocolError[]): number | undefined {
  for (const each of chain) {
    const response = each instanceof Response ? each : (each as { response?: unknown }).response;
    const sent = response instanceof Response ? response.headers.get('retry-after') : null;
    if (sent !== null && /^\d{1,6}$/.test(sent)) return Number(sent) * 1_000;
  }
  return undefined;
}
