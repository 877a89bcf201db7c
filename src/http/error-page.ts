import { type Html, html } from './html.ts';
import { pageResponse } from './page.ts';
import type { Problem } from './problem.ts';

interface Wording {
  readonly title: string;
  readonly onward?: Html;
}

const HOME = html`<p><a href="/">Go to the start page</a></p>`;
const SIGN_IN = html`<p><a class="button" href="/sign-in">Sign in</a></p>`;

const WORDING: Readonly<Record<number, Wording>> = {
  401: { title: 'Please sign in', onward: SIGN_IN },
  403: { title: 'Not allowed', onward: HOME },
  404: { title: 'Not found', onward: HOME },
  410: { title: 'No longer valid', onward: HOME },
  421: { title: 'Not served here' },
  429: { title: 'Too many attempts' },
  500: { title: 'Something went wrong' },
  503: { title: 'Not available right now' },
};

interface ErrorPageOptions {
  requestId: string;
  assetsBase: string;
}

/** An error for a person: what happened, where to go on, and the id that finds it in the log. */
export function errorPage(
  { status, detail, headers }: Problem,
  { requestId, assetsBase }: ErrorPageOptions,
): Response {
  const { title, onward } = WORDING[status] ?? { title: 'This did not work', onward: HOME };
  const body = html`<p class="notice error">${detail}</p>
${onward}
<p><small>Request <code>${requestId}</code></small></p>`;
  return pageResponse({ title, body, status, headers, narrow: true, assetsBase });
}
