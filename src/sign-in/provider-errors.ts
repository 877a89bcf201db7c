import { AppError } from '../lib/app-error.ts';
import { FetchError } from '../lib/safe-fetch.ts';
import type { SignInRefusal } from './model.ts';

/** Error codes are short words (RFC 6749 section 4.1.2.1); anything else a provider sends there is not logged. */
const ERROR_CODE = /^[a-z_]{1,64}$/;

/** Errors of an authorization response that say the provider is in trouble for the moment. */
const PASSING_ERRORS = ['server_error', 'temporarily_unavailable'];

/** What openid-client says of an error beside its message; each of its classes has some of these. */
export interface ProtocolError {
  /** `error` of RFC 6749, as the provider sent it. */
  error?: unknown;
  code?: unknown;
  status?: unknown;
  cause?: unknown;
}

/** Which refusal an error of a code flow is. The kinds of openid-client's errors are told apart by what they carry. */
export function refusalOf(error: unknown): SignInRefusal {
  const chain = causes(error);
  if (chain.some(isOutage)) return 'provider_unavailable';
  const sent = chain.find(({ error: code }) => typeof code === 'string');
  if (sent === undefined) return 'answer_invalid';
  if (sent.error === 'access_denied') return 'denied_at_provider';
  if (PASSING_ERRORS.some((code) => code === sent.error)) return 'provider_unavailable';
  // The code was wrong, used or not made for this attempt: what the browser brought does not hold.
  return sent.error === 'invalid_grant' ? 'answer_invalid' : 'provider_error';
}

/** Fit for the log: what went wrong in words of ours or of the library, never in words of the provider. */
export function describeError(error: unknown): { reason: string; code?: string } {
  const chain = causes(error);
  const messages = chain.filter((each) => each instanceof Error).map(({ message }) => message);
  const code = chain.map((each) => each.error ?? each.code).find((each) => typeof each === 'string');
  const reason = messages.join(': ') || 'unknown';
  return typeof code === 'string' && (ERROR_CODE.test(code) || /^[A-Z_]{1,64}$/.test(code))
    ? { reason, code }
    : { reason };
}

/** @param retryAfterSeconds when the provider is asked again anyway. */
export function providerUnavailable(retryAfterSeconds: number, cause?: unknown): AppError {
  return new AppError(
    'unavailable',
    'provider_unavailable',
    'The identity provider cannot be reached right now.',
    {
      retryAfterSeconds,
      cause,
    },
  );
}

export function isOutage(error: ProtocolError): boolean {
  if (error instanceof FetchError) return error.failure !== 'too_large';
  if (error instanceof AppError) return error.kind === 'unavailable';
  return typeof error.status === 'number' && error.status >= 500;
}

/** The error and what caused it, outermost first. */
export function causes(error: unknown): ProtocolError[] {
  const found: ProtocolError[] = [];
  for (let each = error; typeof each === 'object' && each !== null && found.length < 8; ) {
    found.push(each);
    each = (each as ProtocolError).cause;
  }
  return found;
}
