import { PROTECTED_HOST_PREFIX } from '../http/assets.ts';
import { type Html, html } from '../http/html.ts';
import { pageResponse } from '../http/page.ts';

/** Pages that a protected host shows; their style comes through `/.postern/`, which the proxy hands to us. */
function protectedHostPage(title: string, status: number, body: Html): Response {
  return pageResponse({
    title,
    body,
    status,
    narrow: true,
    assetsBase: PROTECTED_HOST_PREFIX,
    headers: { 'referrer-policy': 'no-referrer' },
  });
}

/** The ticket was used up, too old, of another host or of another browser; which of them is nobody's business here. */
export function uselessTicketPage(): Response {
  const body = html`<p>This sign-in link has been used, is too old, or was begun in another browser.</p>
<p><a href="/">Begin again</a></p>`;
  return protectedHostPage('Sign-in did not work', 403, body);
}

/** Somebody sent a form of a page, and is not signed in any more. */
export function unsentFormPage(): Response {
  const body = html`<p>You are not signed in any more, so what you sent did not get through. It is not lost:</p>
<ol>
<li><a href="/" target="_blank" rel="noopener">Sign in in another tab</a>.</li>
<li>Come back to this one, and reload it: your browser asks whether to send the form again.</li>
</ol>`;
  const page = protectedHostPage('Sign in first', 401, body);
  page.headers.set('www-authenticate', 'Bearer');
  return page;
}

/** Sign-in worked several times within seconds, and each time nothing came of it. */
export function loopPage(): Response {
  const body = html`<p>You were signed in several times just now, but this site does not see it.
Its proxy may not pass cookies on to the check.</p>
<p><a href="/">Try again</a></p>`;
  return protectedHostPage('Sign-in goes round in circles', 403, body);
}

/** On our own origin: who is signed in may not open what was asked for. */
export function notAllowedPage(user: { readonly displayName: string }, host: string): Response {
  const body = html`<p>You are signed in, but you may not open this page of <strong>${host}</strong>.</p>
<p>Ask whoever runs this appliance, or sign in as somebody else.</p>`;
  return pageResponse({ title: 'Not let in', body, status: 403, user, narrow: true });
}

/** On our own origin: nobody began this sign-in here, or too long ago. */
export function staleFlowPage(): Response {
  const body = html`<p>This sign-in was begun too long ago. Open the page you wanted once more.</p>`;
  return pageResponse({ title: 'Begin again', body, status: 400, narrow: true });
}
