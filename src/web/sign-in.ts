import { singleParam } from '../http/form.ts';
import { type Html, html } from '../http/html.ts';
import { pageResponse } from '../http/page.ts';
import { toProblem } from '../http/problem.ts';
import type { Router } from '../http/router.ts';
import { AppError } from '../lib/app-error.ts';
import { queryOf } from '../sign-in/routes.ts';
import type { WebDeps } from './deps.ts';
import { errorNotice, field } from './fields.ts';
import { goTo, returnTarget } from './return-to.ts';
import { readOwnForm, seeOther, signedInCookies, visitorOf } from './visits.ts';

/** `/sign-in`: a button for each provider, and name and password where anybody has one. */
export function signInPages(router: Router, deps: WebDeps): void {
  router
    .get('/sign-in', async ({ request }) => {
      const target = returnTarget(singleParam(queryOf(request), 'return_to'), deps);
      const caller = await deps.guard.optionalBrowserSession(request);
      return caller === undefined ? signInPage(deps, target) : seeOther(target);
    })
    .post('/sign-in', ({ request }) => signIn(deps, request));
}

async function signIn(deps: WebDeps, request: Request): Promise<Response> {
  const form = await readOwnForm(request, deps);
  const target = returnTarget(singleParam(form, 'return_to'), deps);
  const name = singleParam(form, 'username') ?? '';
  const password = singleParam(form, 'password') ?? '';
  try {
    const signedIn = await deps.local.signIn(name.trim(), password, await visitorOf(request, deps));
    return goTo(target, signedInCookies(signedIn, deps));
  } catch (error) {
    if (error instanceof AppError && ANSWERED_HERE.includes(error.code))
      return signInPage(deps, target, error);
    throw error;
  }
}

/** Refusals after which people try again on the same page. */
const ANSWERED_HERE = ['wrong_credentials', 'too_many_attempts', 'too_busy'];

function signInPage(deps: WebDeps, target: string, refusal?: AppError): Response {
  const { local, providers } = deps;
  const hasPasswords = local.isUsed();
  const isEmpty = providers.length === 0 && !hasPasswords;
  const body = html`${errorNotice(refusal?.message)}
<div class="card">
${isEmpty && nobodyYet(local.setup.isOpen())}
${providerButtons(deps, target)}
${providers.length > 0 && hasPasswords && html`<p class="or">or</p>`}
${hasPasswords && passwordForm(target)}
</div>`;
  const problem = refusal && toProblem(refusal);
  return pageResponse({
    title: 'Sign in',
    body,
    status: problem?.status,
    headers: problem?.headers,
    narrow: true,
  });
}

function providerButtons({ providers }: WebDeps, target: string): Html | undefined {
  if (providers.length === 0) return undefined;
  const query = `?return_to=${encodeURIComponent(target)}`;
  const buttons = providers.map(
    (provider) =>
      html`<li><a class="button wide" href="/sign-in/${provider.name}${query}">Continue with ${provider.label}</a>
${!provider.isAvailable() && html`<small>It does not answer at the moment.</small>`}</li>
`,
  );
  return html`<ul class="stack">${buttons}</ul>`;
}

function passwordForm(target: string): Html {
  return html`<form method="post" action="/sign-in">
<input type="hidden" name="return_to" value="${target}">
${field({ name: 'username', label: 'User name', autocomplete: 'username', maxLength: 254, isFirst: true })}
${field({ name: 'password', label: 'Password', type: 'password', autocomplete: 'current-password' })}
<button class="wide">Sign in</button>
</form>`;
}

function nobodyYet(isSetupOpen: boolean): Html {
  if (isSetupOpen) {
    return html`<p>Nobody has set this site up yet. The link to do so was shown where Postern was started, or is in the file <code>setup-link</code> of its data directory.</p>
<p><a class="button" href="/setup">Set up</a></p>`;
  }
  return html`<p>There is no way to sign in here at the moment. Ask whoever runs this site.</p>`;
}
