import { clearCookie, cookieName } from '../http/cookies.ts';
import { singleParam } from '../http/form.ts';
import { html } from '../http/html.ts';
import { requestContext } from '../http/request-context.ts';
import type { Router } from '../http/router.ts';
import { AppError } from '../lib/app-error.ts';
import type { Caller } from '../sessions/guard.ts';
import type { SessionId } from '../sessions/model.ts';
import type { WebDeps } from './deps.ts';
import { noticeOf, withNotice } from './notices.ts';
import { devicesChoice, sessionList, wantsDevices } from './session-list.ts';
import { personPage } from './shell.ts';
import { orSignIn, readOwnForm, seeOther } from './visits.ts';

const PATH = '/account/sessions';

/** `/account/sessions`: where I am signed in, and how that ends. */
export function sessionPages(router: Router, deps: WebDeps): void {
  const { guard } = deps;
  router
    .get(PATH, ({ request }) =>
      orSignIn(request, async () => showSessions(deps, request, await guard.browserSession(request))),
    )
    .post(`${PATH}/end`, async ({ request }) => endOne(deps, request, await guard.browserSession(request)))
    .post(`${PATH}/end-others`, async ({ request }) =>
      endOthers(deps, request, await guard.browserSession(request)),
    )
    .post(`${PATH}/end-all`, async ({ request }) =>
      endAll(deps, request, await guard.browserSession(request)),
    );
}

async function showSessions(deps: WebDeps, request: Request, caller: Caller): Promise<Response> {
  const sessions = await deps.ledger.list(caller.user.id);
  const devices = devicesChoice(sessions);
  const list = sessionList(sessions, {
    now: deps.clock.now(),
    current: caller.session.id,
    labelOf: providerLabels(deps),
    endPath: `${PATH}/end`,
  });
  const body = html`${noticeOf(request)}
<p>Everywhere you are signed in. End whatever you do not know.</p>
<div class="card">${list}</div>
<div class="actions">
<form method="post" action="${PATH}/end-others">${devices}<button class="danger">Sign out everywhere else</button></form>
<form method="post" action="${PATH}/end-all">${devices}<button class="danger">Sign out everywhere, here too</button></form>
</div>
<p><small>Both revoke your tokens as well. Devices stay paired unless you say otherwise.</small></p>`;
  return personPage(caller, { title: 'Your sessions', body, path: PATH });
}

async function endOne(deps: WebDeps, request: Request, caller: Caller): Promise<Response> {
  const id = sessionIdOf(await readOwnForm(request, deps));
  const { user, session } = caller;
  if ((await deps.ledger.find(id))?.userId !== user.id) throw unknownSession();
  await deps.ledger.end(id, { reason: 'ended_by_user', actorUserId: user.id, address: addressOf(request) });
  return id === session.id ? leave(deps) : seeOther(withNotice(PATH, 'session-ended'));
}

async function endOthers(deps: WebDeps, request: Request, { user, session }: Caller): Promise<Response> {
  const devices = wantsDevices(await readOwnForm(request, deps));
  const context = { reason: 'everywhere', actorUserId: user.id, address: addressOf(request) } as const;
  await deps.ledger.endAll(user.id, { ...context, except: session.id, devices });
  return seeOther(withNotice(PATH, 'others-ended'));
}

async function endAll(deps: WebDeps, request: Request, { user }: Caller): Promise<Response> {
  const devices = wantsDevices(await readOwnForm(request, deps));
  await deps.ledger.endAll(user.id, {
    reason: 'everywhere',
    actorUserId: user.id,
    address: addressOf(request),
    devices,
  });
  return leave(deps);
}

/** The session of this browser is over: its cookie and what pages kept go too. */
function leave({ origin }: WebDeps): Response {
  const response = seeOther('/signed-out', [clearCookie(origin, cookieName(origin))]);
  response.headers.set('clear-site-data', '"storage"');
  return response;
}

/** @throws AppError `not_found`: what does not exist and what is somebody else's look alike. */
export function sessionIdOf(form: URLSearchParams): SessionId {
  const id = singleParam(form, 'id') ?? '';
  if (!/^ses_[a-z2-7]{26}$/.test(id)) throw unknownSession();
  return id as SessionId;
}

export const unknownSession = () =>
  new AppError('not_found', 'unknown_session', 'There is no such session any more.');

export function providerLabels({ providers }: WebDeps): (name: string) => string {
  const labels = new Map(providers.map(({ name, label }) => [name, label]));
  return (name) => labels.get(name) ?? name;
}

export function addressOf(request: Request): string {
  return requestContext(request).address;
}
