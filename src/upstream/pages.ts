import { html } from '../http/html.ts';
import { pageResponse } from '../http/page.ts';
import { cookieHeaders } from '../sign-in/pages.ts';
import type { LinkRefusal } from './model.ts';

interface Wording {
  readonly status: 400 | 403 | 503;
  readonly title: string;
  readonly text: string;
}

const START_AGAIN = 'Nothing has changed. Please start again.';

/** What people read; what a provider sent never stands here. */
function wordingOf(refusal: LinkRefusal): Wording {
  switch (refusal) {
    case 'link_unknown':
      return {
        status: 400,
        title: 'This link is over',
        text: `It was used already, has taken too long, or was begun by a session that has ended. ${START_AGAIN}`,
      };
    case 'other_browser':
      return {
        status: 400,
        title: 'This was not begun here',
        text: 'It belongs to another browser, or this one keeps no cookies. Please start again in this browser.',
      };
    case 'other_provider':
    case 'answer_invalid':
      return {
        status: 400,
        title: 'The account could not be confirmed',
        text: `What came back from the provider does not hold. ${START_AGAIN}`,
      };
    case 'provider_error':
      return {
        status: 400,
        title: 'The provider refused',
        text: 'It reported an error. Whoever runs this site finds the reason in the log.',
      };
    case 'denied_at_provider':
      return { status: 403, title: 'Nothing was linked', text: 'The provider did not let you go on.' };
    case 'provider_unavailable':
      return {
        status: 503,
        title: 'The provider does not answer',
        text: 'Please try again in a moment.',
      };
    case 'other_person':
      return {
        status: 403,
        title: 'That account is somebody else’s',
        text: 'Another person signs in here with it. Sign out at the provider, then link your own account.',
      };
  }
}

/** How soon it is worth trying a provider again, in seconds. */
const RETRY_AFTER_SECONDS = '30';

/** A link that came to nothing. `againAt`: the page where it can be begun again. */
export function linkRefusedPage(refusal: LinkRefusal, againAt: string, cookies: readonly string[]): Response {
  const { status, title, text } = wordingOf(refusal);
  const body = html`<p class="notice error">${text}</p>
<p><a class="button" href="${againAt}">Try again</a></p>
<p><a href="/account/links">Linked accounts</a></p>`;
  const headers = cookieHeaders(cookies);
  if (status === 503) headers.set('retry-after', RETRY_AFTER_SECONDS);
  return pageResponse({ title, body, status, headers, narrow: true });
}
