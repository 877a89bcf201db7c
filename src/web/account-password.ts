import { singleParam } from '../http/form.ts';
import { html } from '../http/html.ts';
import { toProblem } from '../http/problem.ts';
import type { Router } from '../http/router.ts';
import { AppError } from '../lib/app-error.ts';
import type { Caller } from '../sessions/guard.ts';
import type { WebDeps } from './deps.ts';
import { errorNotice, field, newPasswordFields } from './fields.ts';
import { isMendable, newPassword } from './joining.ts';
import { noticeOf, withNotice } from './notices.ts';
import { personPage } from './shell.ts';
import { orSignIn, readOwnForm, seeOther, visitorOf } from './visits.ts';

const PATH = '/account/password';

/** `/account/password`. */
export function passwordPages(router: Router, deps: WebDeps): void {
  const { guard } = deps;
  router
    .get(PATH, ({ request }) =>
      orSignIn(request, async () => passwordPage(deps, request, await guard.browserSession(request))),
    )
    .post(PATH, async ({ request }) => change(deps, request, await guard.browserSession(request)));
}

async function change(deps: WebDeps, request: Request, caller: Caller): Promise<Response> {
  const form = await readOwnForm(request, deps);
  try {
    const typed = { old: singleParam(form, 'old_password') ?? '', new: newPassword(form) };
    await deps.local.passwords.change(caller, typed, await visitorOf(request, deps));
    return seeOther(withNotice(PATH, 'password-changed'));
  } catch (error) {
    if (error instanceof AppError && isAnsweredHere(error)) return passwordPage(deps, request, caller, error);
    throw error;
  }
}

function isAnsweredHere(error: AppError): boolean {
  return isMendable(error) || ['wrong_password', 'too_many_attempts'].includes(error.code);
}

function passwordPage({ local }: WebDeps, request: Request, caller: Caller, refusal?: AppError): Response {
  const body = local.passwords.has(caller.user) ? changeForm(caller, refusal) : NO_PASSWORD;
  const problem = refusal && toProblem(refusal);
  return personPage(caller, {
    title: 'Your password',
    body: html`${refusal === undefined && noticeOf(request)}${body}`,
    status: problem?.status,
    headers: problem?.headers,
    narrow: true,
    path: PATH,
  });
}

/** The hidden name lets password managers store the new password with the right account. */
function changeForm({ user }: Caller, refusal: AppError | undefined) {
  return html`${errorNotice(refusal?.message)}
<p>A new password ends all your other sessions.</p>
<form class="card" method="post" action="${PATH}">
<input type="text" name="username" value="${user.username}" autocomplete="username" hidden readonly>
${field({ name: 'old_password', label: 'Old password', type: 'password', autocomplete: 'current-password' })}
${newPasswordFields()}
<button class="wide">Change the password</button>
</form>`;
}

const NO_PASSWORD = html`<p>You have no password here: you sign in through a provider, where your password is.</p>
<p>An owner can give you a link that sets one, should the provider be lost.</p>`;
