import type { AskingProgram } from '../authorization-server/device-requests.ts';
import type { ProtectedResource } from '../authorization-server/model.ts';
import { singleParam } from '../http/form.ts';
import { type Html, html } from '../http/html.ts';
import { toProblem } from '../http/problem.ts';
import type { Router } from '../http/router.ts';
import { AppError } from '../lib/app-error.ts';
import type { Caller } from '../sessions/guard.ts';
import type { WebDeps } from './deps.ts';
import { errorNotice } from './fields.ts';
import { personPage } from './shell.ts';
import { ago } from './time-text.ts';
import type { Found } from './typed-codes.ts';
import { actorOf, orSignIn, readOwnForm, seeOther } from './visits.ts';

const PATH = '/device';
const DONE = `${PATH}/done`;

/** `/device`: where the code is typed that a program or a device shows (RFC 8628 section 3.3). */
export function devicePages(router: Router, deps: WebDeps): void {
  const { guard } = deps;
  router
    .get(PATH, ({ request }) => orSignIn(request, async () => codePage(await guard.browserSession(request))))
    .post(PATH, async ({ request }) => show(deps, request, await guard.browserSession(request)))
    .post(`${PATH}/answer`, async ({ request }) => answer(deps, request, await guard.browserSession(request)))
    .get(DONE, ({ request }) => orSignIn(request, async () => donePage(await guard.browserSession(request))));
}

/** The field is always empty: whoever could fill it for somebody else could have them let in a stranger (section 5.4). */
function codePage(caller: Caller, refusal?: AppError): Response {
  const body = html`${errorNotice(refusal?.message)}
<p>A program or a device shows you a code and has sent you here. Type it only if you have just started that yourself.</p>
<form class="card" method="post" action="${PATH}">
<label for="code">Code</label>
<p class="hint" id="code-hint">Eight letters and digits. Case and the hyphen do not matter.</p>
<input id="code" name="code" class="mono typed-code" autocomplete="off" autocapitalize="characters" spellcheck="false" maxlength="20" aria-describedby="code-hint" required autofocus>
<button>Go on</button>
</form>`;
  const problem = refusal && toProblem(refusal);
  return personPage(caller, {
    title: 'Type the code',
    body,
    status: problem?.status,
    headers: problem?.headers,
    path: PATH,
    narrow: true,
  });
}

async function show(deps: WebDeps, request: Request, caller: Caller): Promise<Response> {
  const form = await readOwnForm(request, deps);
  try {
    const { asker, sealed } = deps.typedCodes.find(singleParam(form, 'code') ?? '', request, caller);
    return programPage(deps, caller, asker.program, sealed);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return codePage(caller, error);
  }
}

/** What asks, from where, and for what. Its name comes from the configuration; that it is this program that asks is nobody's promise. */
function programPage(
  { clock }: WebDeps,
  caller: Caller,
  { request, client, resources }: AskingProgram,
  sealed: Found['sealed'],
): Response {
  const body = html`<p>A program that calls itself <strong class="any">“${client.name}”</strong> wants to use ${what(resources)} as you, <strong class="any">${caller.user.displayName}</strong>.</p>
<div class="card"><dl>
<dt>It asked</dt><dd>${ago(request.createdAt, clock.now())}</dd>
<dt>From</dt><dd class="any">${request.address ?? 'an unknown address'}</dd>
</dl></div>
<p>Allow it only if you have just started this program yourself, and it shows the code that you typed. Nobody who calls or writes to you needs a code from you.</p>
<form method="post" action="${PATH}/answer">
<input type="hidden" name="request" value="${sealed}">
${choice(resources)}
<button name="decision" value="allow">Allow</button>
<button class="quiet" name="decision" value="deny">Do not allow</button>
</form>`;
  return personPage(caller, { title: 'Let a program connect?', body, path: PATH, narrow: true });
}

function what([only, ...others]: readonly ProtectedResource[]): Html {
  if (only === undefined || others.length > 0) return html`one of the MCP servers here`;
  return html`the MCP server <strong class="any">${only.name}</strong>`;
}

function choice(resources: readonly ProtectedResource[]): Html {
  const [only, ...others] = resources;
  if (only !== undefined && others.length === 0) {
    return html`<p>It may: <code class="any">${only.scope}</code></p>
<input type="hidden" name="resource" value="${only.resource}">`;
  }
  const options = resources.map(
    ({
      name,
      resource,
      scope,
    }) => html`<p><label class="choice"><input type="radio" name="resource" value="${resource}" required>
<span class="any">${name}</span> <small><code class="any">${scope}</code></small></label></p>
`,
  );
  return html`<fieldset><legend>Which one?</legend>
${options}</fieldset>`;
}

async function answer(deps: WebDeps, request: Request, caller: Caller): Promise<Response> {
  const form = await readOwnForm(request, deps);
  const { program } = deps.typedCodes.answered(singleParam(form, 'request') ?? '', caller);
  const by = actorOf(request, caller);
  if (singleParam(form, 'decision') !== 'allow') {
    await deps.deviceRequests.deny(program, by);
    return deniedPage(caller);
  }
  const resource = chosen(program, singleParam(form, 'resource'));
  await deps.deviceRequests.approve(program, resource, by);
  return seeOther(afterwards(deps, resource, caller));
}

/** One of those that were shown. */
function chosen({ resources }: AskingProgram, indicator: string | undefined): ProtectedResource {
  const resource = resources.find((each) => each.resource === indicator);
  if (resource === undefined) throw new AppError('unprocessable', 'invalid_form', 'Choose one of them.');
  return resource;
}

/** The program goes on waiting until the account is linked that the backend needs. */
function afterwards({ upstream }: WebDeps, { provider }: ProtectedResource, { user }: Caller): string {
  if (provider === undefined || upstream.tokens.isLinked(user.id, provider)) return DONE;
  return upstream.tokens.linkUrl(provider, DONE);
}

function donePage(caller: Caller): Response {
  const body = html`<p class="notice" role="status">Done. Go back to your program or device: it goes on by itself within a few seconds.</p>
<p>You find it under <a href="/account/apps">Connected apps</a>, and can end it there at any time.</p>`;
  return personPage(caller, { title: 'All set', body, path: PATH, narrow: true });
}

function deniedPage(caller: Caller): Response {
  const body = html`<p class="notice" role="status">It was not let in. You can close this page.</p>`;
  return personPage(caller, { title: 'Not allowed', body, path: PATH, narrow: true });
}
