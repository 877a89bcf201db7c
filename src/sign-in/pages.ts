import { type Html, html } from '../http/html.ts';
import { pageResponse } from '../http/page.ts';
import type { SignInRefusal } from './model.ts';

interface Wording {
  readonly status: 400 | 403 | 503;
  readonly title: string;
  readonly text: string;
}

const START_AGAIN = 'Nothing has changed. Please start again.';

/** What people read; what a provider or a link sent never stands here. */
function wordingOf(refusal: SignInRefusal): Wording {
  switch (refusal) {
    case 'attempt_unknown':
      return {
        status: 400,
        title: 'This sign-in is over',
        text: `It was used already, has taken too long, or was never begun here. ${START_AGAIN}`,
      };
    case 'other_browser':
      return {
        status: 400,
        title: 'This sign-in was not begun here',
        text: 'It belongs to another browser, or this one keeps no cookies. Please start again in this browser.',
      };
    case 'other_provider':
    case 'answer_invalid':
      return {
        status: 400,
        title: 'This sign-in could not be confirmed',
        text: `What came back from the identity provider does not hold. ${START_AGAIN}`,
      };
    case 'provider_error':
      return {
        status: 400,
        title: 'The identity provider refused',
        text: 'It reported an error. Whoever runs this site finds the reason in the log.',
      };
    case 'denied_at_provider':
      return {
        status: 403,
        title: 'Sign-in was cancelled',
        text: 'The identity provider did not let you go on.',
      };
    case 'provider_unavailable':
      return {
        status: 503,
        title: 'The identity provider does not answer',
        text: 'Please try again in a moment.',
      };
    case 'not_allowed':
      return {
        status: 403,
        title: 'You may not sign in here',
        text: 'The identity provider knows you, but this site does not let you in. Ask whoever runs it.',
      };
    case 'user_disabled':
      return {
        status: 403,
        title: 'Your account is disabled',
        text: 'Ask whoever runs this site.',
      };
    case 'ended_meanwhile':
      return {
        status: 403,
        title: 'You have been signed out',
        text: 'Your sessions were ended while you were signing in. Please start again.',
      };
    case 'purpose_over':
      return {
        status: 400,
        title: 'This link is no longer good',
        text: 'It was used by somebody else, or has run out. Ask for a new one.',
      };
  }
}

/** How soon it is worth trying a provider again, in seconds. */
const RETRY_AFTER_SECONDS = '30';

/** A sign-in that came to nothing. `signOutUrl` leads out of the session at the provider. */
export function refusedPage(
  refusal: SignInRefusal,
  signOutUrl: string | undefined,
  cookies: readonly string[],
): Response {
  const { status, title, text } = wordingOf(refusal);
  const body = html`<p class="notice error">${text}</p>
<p><a class="button" href="/sign-in">Back to sign-in</a></p>
${signOutUrl !== undefined && html`<p><a href="${signOutUrl}">Sign out at the provider</a> to come back as somebody else.</p>`}`;
  const headers = cookieHeaders(cookies);
  if (status === 503) headers.set('retry-after', RETRY_AFTER_SECONDS);
  return pageResponse({ title, body, status, headers, narrow: true });
}

/** GET /sign-out: signing out changes something, so that it takes a button. */
export function signOutPage(user: { readonly displayName: string } | undefined): Response {
  if (user === undefined) return signedOutPage(undefined, undefined);
  const body = html`<p>You are signed in as <strong>${user.displayName}</strong>.</p>
<form method="post" action="/sign-out"><button>Sign out</button></form>`;
  return pageResponse({ title: 'Sign out', body, narrow: true });
}

/** Where sign-out ends. `provider`: what the provider is called at which that session ended too. */
export function signedOutPage(
  provider: string | undefined,
  user: { readonly displayName: string } | undefined,
): Response {
  if (user !== undefined) {
    return pageResponse({ title: 'You are signed in', body: stillSignedIn(user), narrow: true });
  }
  const where = provider === undefined ? 'here' : `here and at ${provider}`;
  const body = html`<p class="notice">You are signed out ${where}.</p>
<p><a class="button" href="/sign-in">Sign in again</a></p>`;
  return pageResponse({ title: 'Signed out', body, narrow: true });
}

function stillSignedIn(user: { readonly displayName: string }): Html {
  return html`<p>This browser is signed in as <strong>${user.displayName}</strong>.</p>
<form method="post" action="/sign-out"><button>Sign out</button></form>`;
}

export function cookieHeaders(cookies: readonly string[]): Headers {
  const headers = new Headers();
  for (const cookie of cookies) headers.append('set-cookie', cookie);
  return headers;
}
