import { AppError } from '../lib/app-error.ts';

// What a device hears that asks to be let in (RFC 8628 section 3.5), and who answers it.

export const pending = () =>
  new AppError('bad_request', 'authorization_pending', 'Nobody has typed the code yet. Ask again.');
export const slowDown = () =>
  new AppError('bad_request', 'slow_down', 'Asked too soon. Wait 5 seconds longer from now on.');
export const denied = () =>
  new AppError('bad_request', 'access_denied', 'The device was not let in, or that was taken back.');
export const expired = () =>
  new AppError('bad_request', 'expired_token', 'Nobody typed the code in time. Begin again.');
export const answered = () =>
  new AppError('bad_request', 'stale_consent', 'This was answered already, or has run out. Begin again.');

export const tooManyFromHere = (retryAfterSeconds: number) =>
  new AppError(
    'too_many_requests',
    'too_many_joins',
    'Too many devices have asked to be let in from this address. Wait a moment.',
    { retryAfterSeconds },
  );

export const tooManyWait = () =>
  new AppError('unavailable', 'too_many_joins', 'Too many devices wait to be let in. Try later.', {
    retryAfterSeconds: 60,
  });
