import { singleParam } from '../http/form.ts';
import { html } from '../http/html.ts';
import { pageResponse } from '../http/page.ts';
import { toProblem } from '../http/problem.ts';
import type { Router } from '../http/router.ts';
import { AppError } from '../lib/app-error.ts';
import type { WebDeps } from './deps.ts';
import { errorNotice, linkField, newPasswordFields } from './fields.ts';
import { isMendable, linkToKeep, newPassword } from './joining.ts';
import { readOwnForm, seeOther, signedInCookies, visitorOf } from './visits.ts';

/** `/reset-password`: who holds the link sets a new password. */
export function resetPasswordPages(router: Router, deps: WebDeps): void {
  router
    .get('/reset-password', () => resetPage())
    .post('/reset-password', ({ request }) => reset(deps, request));
}

async function reset(deps: WebDeps, request: Request): Promise<Response> {
  const form = await readOwnForm(request, deps);
  const link = singleParam(form, 'link');
  try {
    const visitor = await visitorOf(request, deps);
    const signedIn = await deps.local.passwords.reset({ link, password: newPassword(form) }, visitor);
    return seeOther(deps.landing, signedInCookies(signedIn, deps));
  } catch (error) {
    if (!(error instanceof AppError) || !isMendable(error)) throw error;
    return resetPage(form, error);
  }
}

function resetPage(form?: URLSearchParams, refusal?: AppError): Response {
  const body = html`${errorNotice(refusal?.message)}
<p>Choose a new password. All your sessions from before end.</p>
<form class="card" method="post" action="/reset-password">
${linkField(linkToKeep(form, refusal))}
${newPasswordFields()}
<button class="wide">Set the password and sign in</button>
</form>`;
  const problem = refusal && toProblem(refusal);
  return pageResponse({
    title: 'New password',
    body,
    status: problem?.status,
    headers: problem?.headers,
    narrow: true,
    fragmentScript: true,
  });
}
