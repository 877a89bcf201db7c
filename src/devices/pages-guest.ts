import { PROTECTED_HOST_PREFIX } from '../http/assets.ts';
import { html } from '../http/html.ts';
import { pageResponse } from '../http/page.ts';
import { toProblem } from '../http/problem.ts';
import type { AppError } from '../lib/app-error.ts';
import { GUEST_PATH } from './guest-links.ts';

/** What a guest link opens. Opening it uses nothing up: programs that look at links ahead do that too. */
export function guestPage(host: string, refusal?: AppError): Response {
  const body = html`${refusal !== undefined && html`<p class="notice error" role="alert">${refusal.message}</p>`}
<p>Somebody lets you use <strong>${host}</strong> for a while, without an account.</p>
<form class="card" method="post" action="${GUEST_PATH}">
<div data-fragment-field>
<label for="link">Link</label>
<p class="hint" id="link-hint">Paste the whole link you were given, or what follows its # sign.</p>
<input id="link" name="link" autocomplete="off" autocapitalize="none" spellcheck="false" aria-describedby="link-hint" required data-from-fragment>
</div>
<button class="wide">Open it</button>
</form>`;
  const problem = refusal && toProblem(refusal);
  return pageResponse({
    title: 'You are a guest',
    body,
    status: problem?.status,
    headers: problem?.headers,
    narrow: true,
    fragmentScript: true,
    assetsBase: PROTECTED_HOST_PREFIX,
  });
}
