import { AppError } from '../lib/app-error.ts';

/** Which of many reasons it was is nobody's business outside (RFC 6749 section 5.2). */
export const invalidGrant = () =>
  new AppError(
    'bad_request',
    'invalid_grant',
    'the grant is unknown, used up, expired, revoked, or of another client',
  );

export const invalidTarget = () =>
  new AppError('bad_request', 'invalid_target', 'the resource is unknown, or another one than was granted');

export const invalidScope = () =>
  new AppError('bad_request', 'invalid_scope', 'the scope is more than was granted');

/** RFC 6749 section 5.2; a client that hears it registers again. */
export const invalidClient = () =>
  new AppError(
    'unauthorized',
    'invalid_client',
    'the client is unknown, or authenticated in a way that is not taken',
  );
