import { AppError } from '../lib/app-error.ts';
import { AuthorizationError } from './model.ts';

/** SHA-256 in base64url without padding (RFC 7636 section 4.2). */
const S256_CHALLENGE = /^[A-Za-z0-9_-]{43}$/;
/** RFC 7636 section 4.1. */
const VERIFIER = /^[A-Za-z0-9._~-]{43,128}$/;

/** PKCE is mandatory, and S256 the only method. @throws AuthorizationError `invalid_request` (RFC 7636 section 4.4.1). */
export function checkCodeChallenge(challenge: string | undefined, method: string | undefined): string {
  if (challenge === undefined) throw new AuthorizationError('invalid_request', 'code_challenge is missing');
  if (method !== 'S256') throw new AuthorizationError('invalid_request', 'code_challenge_method is not S256');
  if (!S256_CHALLENGE.test(challenge)) {
    throw new AuthorizationError('invalid_request', 'code_challenge is malformed');
  }
  return challenge;
}

/** Whether the verifier belongs to the challenge (RFC 7636 section 4.6). @throws AppError `bad_request` (`invalid_request`). */
export function isVerified(verifier: string | undefined, challenge: string): boolean {
  if (verifier === undefined)
    throw new AppError('bad_request', 'invalid_request', 'code_verifier is missing');
  return VERIFIER.test(verifier) && Bun.SHA256.hash(verifier, 'base64url') === challenge;
}
