import { singleParam } from '../http/form.ts';
import { type Html, html } from '../http/html.ts';
import { requireNavigation } from '../http/navigation.ts';
import { continueResponse } from '../http/page.ts';
import { toProblem } from '../http/problem.ts';
import { safeReturnTo } from '../http/return-to.ts';
import type { Router } from '../http/router.ts';
import { AppError } from '../lib/app-error.ts';
import type { Caller } from '../sessions/guard.ts';
import { cookieHeaders } from '../sign-in/pages.ts';
import { queryOf } from '../sign-in/routes.ts';
import type { LinkedAccount } from '../upstream/accounts.ts';
import { linkerOf } from '../upstream/routes.ts';
import { SECRET_MAX_LENGTH, type SecretState } from '../upstream/secrets.ts';
import type { WebDeps } from './deps.ts';
import { errorNotice } from './fields.ts';
import { type Notice, noticeOf, withNotice } from './notices.ts';
import { personPage } from './shell.ts';
import { instant } from './time-text.ts';
import { orSignIn, readOwnForm, seeOther } from './visits.ts';

const PATH = '/account/links';

/** `/account/links`: accounts elsewhere that MCP servers here may use as me, and secrets that I pasted for them. */
export function linkPages(router: Router, deps: WebDeps): void {
  const { guard } = deps;
  router
    .get(PATH, ({ request }) =>
      orSignIn(request, async () => linksPage(deps, request, await guard.browserSession(request))),
    )
    .post(`${PATH}/secrets`, async ({ request }) =>
      storeSecret(deps, request, await guard.browserSession(request)),
    )
    .post(`${PATH}/secrets/remove`, async ({ request }) =>
      removeSecret(deps, request, await guard.browserSession(request)),
    )
    .get(`${PATH}/:provider`, ({ request, params }) =>
      orSignIn(request, async () =>
        askPage(deps, request, await guard.browserSession(request), params.provider),
      ),
    )
    .post(`${PATH}/:provider`, async ({ request, params }) =>
      begin(deps, request, await guard.browserSession(request), params.provider),
    )
    .post(`${PATH}/:provider/unlink`, async ({ request, params }) =>
      unlink(deps, request, await guard.browserSession(request), params.provider),
    );
}

function linksPage(deps: WebDeps, request: Request, caller: Caller, refusal?: AppError): Response {
  const { accounts, secrets } = deps.upstream;
  const linkable = accounts.list(caller.user.id);
  const wanted = secrets.list(caller.user.id);
  const body = html`${refusal === undefined ? noticeOf(request) : errorNotice(refusal.message)}
<p>MCP servers behind this site can act for you elsewhere, with an account that you link or a secret that you paste here.</p>
${linkable.length === 0 && wanted.length === 0 && html`<p>None of the servers here asks for an account or a secret of yours.</p>`}
${linkable.length > 0 && html`<div class="card">${accountTable(linkable)}</div>`}
${wanted.length > 0 && secretsPart(wanted)}`;
  const problem = refusal && toProblem(refusal);
  return personPage(caller, {
    title: 'Linked accounts',
    body,
    status: problem?.status,
    headers: problem?.headers,
    path: PATH,
  });
}

function accountTable(accounts: readonly LinkedAccount[]): Html {
  const rows = accounts.map(
    (one) => html`<tr>
<td><strong class="any">${one.label}</strong>${one.backends.length > 0 && html`<br><small class="any">For ${one.backends.join(', ')}</small>`}</td>
<td data-label="Account"><span class="any">${accountText(one)}</span></td>
<td data-label="Linked">${one.linkedAt === undefined ? '–' : instant(one.linkedAt)}</td>
<td>${accountActs(one)}</td>
</tr>
`,
  );
  return html`<table class="rows">
<thead><tr><th scope="col">Service</th><th scope="col">Account</th><th scope="col">Linked</th><th scope="col"><span class="visually-hidden">Act</span></th></tr></thead>
<tbody>
${rows}</tbody>
</table>`;
}

function accountText({ status, account }: LinkedAccount): string {
  switch (status) {
    case 'linked':
      return account ?? 'linked';
    case 'link_again':
      return `${account ?? 'It'} has to be linked again`;
    case 'not_linked':
      return 'not linked';
  }
}

function accountActs({ provider, label, status, isConfigured }: LinkedAccount): Html[] {
  const link = html`<a class="button small" href="${PATH}/${provider}" aria-label="Link ${label}">${status === 'not_linked' ? 'Link' : 'Link again'}</a>
`;
  const unlink = html`<form class="inline" method="post" action="${PATH}/${provider}/unlink">
<button class="danger small" aria-label="Unlink ${label}">Unlink</button></form>`;
  return [...(isConfigured ? [link] : []), ...(status === 'not_linked' ? [] : [unlink])];
}

function secretsPart(secrets: readonly SecretState[]): Html {
  return html`<h2>Secrets</h2>
<p>For servers that take a personal access token. Nobody reads them back, you included.</p>
${secrets.map(secretCard)}`;
}

function secretCard({ name, backends, updatedAt }: SecretState): Html {
  const state = updatedAt === undefined ? 'Not given yet.' : html`Given ${instant(updatedAt)}.`;
  const form = html`<form method="post" action="${PATH}/secrets">
<input type="hidden" name="name" value="${name}">
<label for="secret-${name}">${updatedAt === undefined ? 'Value' : 'New value'}</label>
<input id="secret-${name}" name="value" type="password" autocomplete="off" maxlength="${SECRET_MAX_LENGTH}" required>
<button class="small">Store</button>
</form>`;
  return html`<div class="card"><h3 class="any">${name}</h3>
<p class="any">${state} ${backends.length > 0 ? `For ${backends.join(', ')}.` : 'No server asks for it any more.'}</p>
${backends.length > 0 && form}
${updatedAt !== undefined && removeForm(name)}</div>
`;
}

const removeForm = (name: string): Html => html`<form method="post" action="${PATH}/secrets/remove">
<input type="hidden" name="name" value="${name}">
<button class="danger small" aria-label="Remove ${name}">Remove</button></form>`;

/** Linking gives something away, so that it takes a button: a page elsewhere must not begin it. */
function askPage(deps: WebDeps, request: Request, caller: Caller, name: string): Response {
  requireNavigation(request);
  const { label } = deps.upstream.accounts.get(name);
  const returnTo = safeReturnTo(singleParam(queryOf(request), 'return_to'), () => false, PATH);
  const one = deps.upstream.accounts.list(caller.user.id).find(({ provider }) => provider === name);
  const body = html`<p>You go to <strong>${label}</strong> and say there that this site may act for you.</p>
${one !== undefined && one.backends.length > 0 && html`<p class="any">Its tokens are given to the servers that run here for you: ${one.backends.join(', ')}.</p>`}
${one?.status === 'linked' && html`<p>The account that is linked now, <strong class="any">${one.account}</strong>, is replaced.</p>`}
<form method="post" action="${PATH}/${name}">
<input type="hidden" name="return_to" value="${returnTo}">
<button>Go on to ${label}</button>
</form>
<p><a href="${PATH}">Not now</a></p>`;
  return personPage(caller, { title: `Link ${label}`, body, path: PATH, narrow: true });
}

async function begin(deps: WebDeps, request: Request, caller: Caller, provider: string): Promise<Response> {
  const form = await readOwnForm(request, deps);
  const returnTo = safeReturnTo(singleParam(form, 'return_to'), () => false, PATH);
  const begun = await deps.upstream.linking.begin({ provider, returnTo }, linkerOf(request, caller));
  const headers = cookieHeaders(deps.attemptCookies.begin(request, begun));
  return continueResponse({ title: 'On to the service', url: begun.location, headers });
}

const UNLINKED: Readonly<Record<'revoked' | 'not_told' | 'unsupported', Notice>> = {
  revoked: 'unlinked',
  not_told: 'unlinked-not-told',
  unsupported: 'unlinked-unsupported',
};

async function unlink(deps: WebDeps, request: Request, caller: Caller, provider: string): Promise<Response> {
  await readOwnForm(request, deps);
  const unlinked = await deps.upstream.linking.unlink(provider, linkerOf(request, caller));
  if (unlinked === undefined)
    throw new AppError('not_found', 'not_found', 'Nothing is linked there any more.');
  return seeOther(withNotice(PATH, UNLINKED[unlinked]));
}

async function storeSecret(deps: WebDeps, request: Request, caller: Caller): Promise<Response> {
  const form = await readOwnForm(request, deps);
  try {
    const value = singleParam(form, 'value') ?? '';
    await deps.upstream.secrets.store(singleParam(form, 'name') ?? '', value, linkerOf(request, caller));
  } catch (error) {
    if (!(error instanceof AppError) || error.kind !== 'unprocessable') throw error;
    return linksPage(deps, request, caller, error);
  }
  return seeOther(withNotice(PATH, 'secret-stored'));
}

async function removeSecret(deps: WebDeps, request: Request, caller: Caller): Promise<Response> {
  const form = await readOwnForm(request, deps);
  await deps.upstream.secrets.remove(singleParam(form, 'name') ?? '', linkerOf(request, caller));
  return seeOther(withNotice(PATH, 'secret-removed'));
}
