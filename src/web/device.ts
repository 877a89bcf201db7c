import { singleParam } from '../http/form.ts';
import { type Html, html } from '../http/html.ts';
import { toProblem } from '../http/problem.ts';
import type { Router } from '../http/router.ts';
import { AppError } from '../lib/app-error.ts';
import { actorOf, type Caller } from '../sessions/guard.ts';
import type { WebDeps } from './deps.ts';
import { aboutDevice } from './device-join.ts';
import { aboutProgram, afterProgram, chosenResource } from './device-program.ts';
import { errorNotice } from './fields.ts';
import { personPage } from './shell.ts';
import type { Found } from './typed-codes.ts';
import { orSignIn, readOwnForm, seeOther } from './visits.ts';

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
    const found = await deps.typedCodes.find(singleParam(form, 'code') ?? '', request, caller);
    return askPage(deps, caller, found);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return codePage(caller, error);
  }
}

function askPage({ clock }: WebDeps, caller: Caller, { asker, sealed }: Found): Response {
  const now = clock.now();
  if (asker.kind === 'device') {
    const { title, body } = aboutDevice(asker.device, caller, now);
    return questionPage(caller, { title, body, sealed, allow: 'Let it in', deny: 'Do not let it in' });
  }
  const { title, body, choice } = aboutProgram(asker.program, caller, now);
  return questionPage(caller, { title, body, sealed, choice, allow: 'Allow', deny: 'Do not allow' });
}

interface Question {
  title: string;
  body: Html;
  sealed: string;
  choice?: Html;
  allow: string;
  deny: string;
}

function questionPage(caller: Caller, { title, body, sealed, choice, allow, deny }: Question): Response {
  const page = html`${body}
<form method="post" action="${PATH}/answer">
<input type="hidden" name="request" value="${sealed}">
${choice}
<button name="decision" value="allow">${allow}</button>
<button class="quiet" name="decision" value="deny">${deny}</button>
</form>`;
  return personPage(caller, { title, body: page, path: PATH, narrow: true });
}

async function answer(deps: WebDeps, request: Request, caller: Caller): Promise<Response> {
  const form = await readOwnForm(request, deps);
  const asker = deps.typedCodes.answered(singleParam(form, 'request') ?? '', caller);
  const isAllowed = singleParam(form, 'decision') === 'allow';
  const by = actorOf(request, caller);
  if (asker.kind === 'device') {
    const { joins } = deps.devices;
    await (isAllowed ? joins.approve(asker.device, by) : joins.deny(asker.device, by));
    return isAllowed ? seeOther(DONE) : deniedPage(caller);
  }
  if (!isAllowed) {
    await deps.deviceRequests.deny(asker.program, by);
    return deniedPage(caller);
  }
  const resource = chosenResource(asker.program, form);
  await deps.deviceRequests.approve(asker.program, resource, by);
  return seeOther(afterProgram(deps, resource, caller, DONE));
}

function donePage(caller: Caller): Response {
  const body = html`<p class="notice" role="status">Done. Go back to your program or device: it goes on by itself within a few seconds.</p>
<p>You find it under <a href="/account/devices">Devices</a> or <a href="/account/apps">Connected apps</a>, and can end it there at any time.</p>`;
  return personPage(caller, { title: 'All set', body, path: PATH, narrow: true });
}

function deniedPage(caller: Caller): Response {
  const body = html`<p class="notice" role="status">It was not let in. You can close this page.</p>`;
  return personPage(caller, { title: 'Not allowed', body, path: PATH, narrow: true });
}
