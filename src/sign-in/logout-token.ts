import type { JWTPayload, JWTVerifyGetKey } from 'jose';
import { AppError } from '../lib/app-error.ts';
import { FetchError } from '../lib/safe-fetch.ts';
import type { LogoutNotice } from './provider.ts';
import { providerUnavailable } from './provider-errors.ts';

/** The event that makes a token a logout token (OpenID Connect Back-Channel Logout section 2.4). */
const LOGOUT_EVENT = 'http://schemas.openid.net/event/backchannel-logout';

/** Signatures that only the provider can make: with a shared secret anybody who has it could. */
const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];

/** How far apart two clocks may be, in seconds. */
const CLOCK_TOLERANCE_SECONDS = 30;

/** A token older than this is not taken, in seconds: its id need not be remembered for longer either. */
const MAX_AGE_SECONDS = 600;

/** Longest `jti`, `sub` and `sid` that are kept, in characters. */
const MAX_CLAIM_LENGTH = 512;

const RETRY_AFTER_SECONDS = 30;

export interface ExpectedLogoutToken {
  issuer: string;
  audience: string;
  /** Epoch milliseconds. */
  now: number;
}

/**
 * Holds a logout token to OpenID Connect Back-Channel Logout section 2.6. The explicit type is required: without it an
 * ID token could stand in for one.
 * @throws AppError `bad_request` (`invalid_logout_token`); `unavailable` when the provider's keys cannot be read.
 */
export async function verifyLogoutToken(
  token: string,
  keys: JWTVerifyGetKey,
  { issuer, audience, now }: ExpectedLogoutToken,
): Promise<LogoutNotice> {
  const { jwtVerify } = await import('jose');
  const { payload } = await jwtVerify(token, keys, {
    typ: 'logout+jwt',
    algorithms: ALGORITHMS,
    issuer,
    audience,
    requiredClaims: ['iat', 'exp', 'jti', 'events'],
    maxTokenAge: MAX_AGE_SECONDS,
    clockTolerance: CLOCK_TOLERANCE_SECONDS,
    currentDate: new Date(now),
  }).catch((error: unknown) => {
    throw refusal(error);
  });
  return toNotice(payload, issuer);
}

function toNotice(payload: JWTPayload, issuer: string): LogoutNotice {
  const { jti, sub, iat = 0, exp = 0 } = payload;
  const sid = payload['sid'];
  const isLogout = hasLogoutEvent(payload['events']) && !('nonce' in payload);
  const names = [jti, sub, sid].every((claim) => claim === undefined || isKeepable(claim));
  if (!isLogout || !names || jti === undefined || (sub === undefined && sid === undefined)) {
    throw invalidLogoutToken();
  }
  const until = Math.min(exp, iat + MAX_AGE_SECONDS) + CLOCK_TOLERANCE_SECONDS;
  return { issuer, subject: sub, sid: sid as string | undefined, jti, expiresAt: (until + 1) * 1000 };
}

/** `events` is an object with that member, whose value is an object (section 2.4). */
function hasLogoutEvent(events: unknown): boolean {
  if (typeof events !== 'object' || events === null || !Object.hasOwn(events, LOGOUT_EVENT)) return false;
  const event = (events as Record<string, unknown>)[LOGOUT_EVENT];
  return typeof event === 'object' && event !== null && !Array.isArray(event);
}

function isKeepable(claim: unknown): boolean {
  return typeof claim === 'string' && claim !== '' && claim.length <= MAX_CLAIM_LENGTH;
}

/** jose's codes for keys that it could not get; the generic one is an answer other than 200, or no JSON. */
const KEY_OUTAGES = ['ERR_JWKS_TIMEOUT', 'ERR_JWKS_INVALID', 'ERR_JOSE_GENERIC'];

/** Keys that cannot be read are an outage; everything else is about the token. */
function refusal(error: unknown): AppError {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const isOutage = error instanceof FetchError || KEY_OUTAGES.some((each) => each === code);
  return isOutage ? providerUnavailable(RETRY_AFTER_SECONDS, error) : invalidLogoutToken(error);
}

export const invalidLogoutToken = (cause?: unknown) =>
  new AppError('bad_request', 'invalid_logout_token', 'The logout token does not hold.', { cause });
