import { continueResponse } from '../http/page.ts';
import { AppError } from '../lib/app-error.ts';
import { queryOf } from '../sign-in/routes.ts';

/** Set on the way through sign-in. */
const AFTER_SIGN_IN = 'signed_in';
/** Sign-in keeps no longer way back, in characters. */
const MAX_RETURN_LENGTH = 4_000;

/** How the browser goes to a client. */
export type Leave = (url: string) => Response;

/** Chromium holds every redirect that follows a form to that form's `form-action`; a page of its own ends the chain. */
export const continueTo: Leave = (url) =>
  continueResponse({ title: 'Back to the program', url, headers: { 'referrer-policy': 'no-referrer' } });

export const redirectTo: Leave = (location) =>
  new Response(null, { status: 302, headers: { location, 'referrer-policy': 'no-referrer' } });

/** The form of sign-in stands before what comes after it. */
export function leaving(params: URLSearchParams): Leave {
  return params.has(AFTER_SIGN_IN) ? continueTo : redirectTo;
}

export function toSignIn(request: Request): Response {
  const { pathname, search } = new URL(request.url);
  const mark = queryOf(request).has(AFTER_SIGN_IN) ? '' : `&${AFTER_SIGN_IN}=1`;
  const returnTo = `${pathname}${search}${mark}`;
  if (returnTo.length > MAX_RETURN_LENGTH) throw tooLong();
  return redirectTo(`/sign-in?return_to=${encodeURIComponent(returnTo)}`);
}

const tooLong = () =>
  new AppError('bad_request', 'invalid_authorization_request', 'The request of the program is too long.');
