import { singleParam } from '../http/form.ts';
import { type Html, html } from '../http/html.ts';
import { continueResponse, pageResponse } from '../http/page.ts';
import { toProblem } from '../http/problem.ts';
import { AppError } from '../lib/app-error.ts';
import type { TypedAccount } from '../sign-in/local-accounts.ts';
import type { LocalSignIn, Visitor } from '../sign-in/local-session.ts';
import type { NewAttempt } from '../sign-in/service.ts';
import { readSecret } from '../sign-in/single-use-secret.ts';
import { cleanDisplayName, isUsername } from '../users/name.ts';
import type { WebDeps } from './deps.ts';
import { errorNotice, linkField, newAccountFields } from './fields.ts';
import { readOwnForm, seeOther, signedInCookies, visitorOf } from './visits.ts';

/** A way in by a single-use link: first set-up, or an invitation. */
export interface Joining {
  path: '/setup' | '/invitation';
  title: string;
  intro: Html;
  /** What the button for a password says. */
  action: string;
  /** Makes a user with a password. */
  withPassword(link: string | undefined, account: TypedAccount, visitor: Visitor): Promise<LocalSignIn>;
  /** Holds that the link is good, and says what an attempt at a provider is to complete. */
  atProvider(link: string | undefined): Promise<Pick<NewAttempt, 'purpose' | 'invitationId'>>;
}

/** The value of `via` for a password; a provider's name stands there otherwise, behind `provider:`. */
const VIA_PASSWORD = 'password';
const VIA_PROVIDER = 'provider:';

export function joiningPage(
  deps: WebDeps,
  joining: Joining,
  form?: URLSearchParams,
  refusal?: AppError,
): Response {
  const body = html`${errorNotice(refusal?.message)}
${joining.intro}
<form class="card" method="post" action="${joining.path}">
${linkField(linkToKeep(form, refusal))}
${newAccountFields(form === undefined ? {} : typedNames(form))}
<button class="wide" name="via" value="${VIA_PASSWORD}">${joining.action}</button>
${providerChoices(deps)}
</form>`;
  const problem = refusal && toProblem(refusal);
  return pageResponse({
    title: joining.title,
    body,
    status: problem?.status,
    headers: problem?.headers,
    narrow: true,
    fragmentScript: true,
  });
}

function typedNames(form: URLSearchParams) {
  const username = (singleParam(form, 'username') ?? '').trim();
  return {
    username: isUsername(username) ? username : undefined,
    displayName: cleanDisplayName(singleParam(form, 'display_name')),
  };
}

/** A link that is no good is asked for again; a good one need not be pasted twice. */
export function linkToKeep(
  form: URLSearchParams | undefined,
  refusal: AppError | undefined,
): string | undefined {
  if (form === undefined || refusal?.code === 'link_not_good') return undefined;
  return readSecret(singleParam(form, 'link'));
}

/** The button for a password comes first: it is the one that the Enter key presses. */
function providerChoices({ providers }: WebDeps): Html | undefined {
  if (providers.length === 0) return undefined;
  const buttons = providers.map(
    ({ name, label }) =>
      html`<li><button class="wide quiet" name="via" value="${VIA_PROVIDER}${name}" formnovalidate>Continue with ${label}</button></li>
`,
  );
  return html`<p class="or">or, without a password here</p>
<ul class="stack">${buttons}</ul>`;
}

/** The answer to the form. Refusals that another try can mend come back with the form. */
export async function join(deps: WebDeps, joining: Joining, request: Request): Promise<Response> {
  const form = await readOwnForm(request, deps);
  try {
    return await joinWith(deps, joining, request, form);
  } catch (error) {
    if (!(error instanceof AppError) || !isMendable(error)) throw error;
    return joiningPage(deps, joining, form, error);
  }
}

async function joinWith(
  deps: WebDeps,
  joining: Joining,
  request: Request,
  form: URLSearchParams,
): Promise<Response> {
  const link = singleParam(form, 'link');
  const via = singleParam(form, 'via') ?? VIA_PASSWORD;
  const visitor = await visitorOf(request, deps);
  if (via.startsWith(VIA_PROVIDER)) {
    const attempt = await joining.atProvider(link);
    return beginAtProvider(deps, request, { ...attempt, provider: via.slice(VIA_PROVIDER.length), visitor });
  }
  const account = {
    username: (singleParam(form, 'username') ?? '').trim(),
    displayName: singleParam(form, 'display_name'),
    password: newPassword(form),
  };
  return seeOther(deps.landing, signedInCookies(await joining.withPassword(link, account, visitor), deps));
}

async function beginAtProvider(
  { signIns, attemptCookies, landing }: WebDeps,
  request: Request,
  attempt: Omit<NewAttempt, 'returnTo'>,
): Promise<Response> {
  const begun = await signIns.begin({ ...attempt, returnTo: landing });
  const headers = new Headers();
  for (const cookie of attemptCookies.begin(request, begun)) headers.append('set-cookie', cookie);
  return continueResponse({ title: 'On to sign-in', url: begun.location, headers });
}

/** The new password of a form. @throws AppError `unprocessable` (`passwords_differ`). */
export function newPassword(form: URLSearchParams): string {
  const password = singleParam(form, 'new_password') ?? '';
  if (password === (singleParam(form, 'new_password_again') ?? '')) return password;
  throw new AppError('unprocessable', 'passwords_differ', 'The two passwords are not the same.');
}

export function isMendable({ kind, code }: AppError): boolean {
  return kind === 'unprocessable' || kind === 'gone' || kind === 'conflict' || code === 'too_busy';
}
