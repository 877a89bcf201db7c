import type { ConnectedApp, RunningChild } from '../authorization-server/connected-apps.ts';
import { redirectHost } from '../authorization-server/redirect-uri.ts';
import type { RoleGuard } from '../db/role-guard.ts';
import { type Html, html } from '../http/html.ts';
import type { Router } from '../http/router.ts';
import { actorOf, type Caller } from '../sessions/guard.ts';
import { sessionIdOf, unknownSession } from './account-sessions.ts';
import type { WebDeps } from './deps.ts';
import { noticeOf, withNotice } from './notices.ts';
import { toldElsewhere } from './other-node.ts';
import { personPage } from './shell.ts';
import { ago, durationText, instant } from './time-text.ts';
import { orSignIn, readOwnForm, seeOther } from './visits.ts';

const PATH = '/account/apps';
const BYTES_PER_MIB = 1_048_576;

/** `/account/apps`: programs that act for me, and an end to them. */
export function appPages(router: Router, deps: WebDeps): void {
  const { guard } = deps;
  router
    .get(PATH, ({ request }) =>
      orSignIn(request, async () => appsPage(deps, request, await guard.browserSession(request))),
    )
    .post(`${PATH}/end`, async ({ request }) => endOne(deps, request, await guard.browserSession(request)))
    .post(`${PATH}/end-all`, async ({ request }) =>
      endAll(deps, request, await guard.browserSession(request)),
    );
}

function appsPage(deps: WebDeps, request: Request, caller: Caller): Response {
  const apps = deps.connectedApps.list(caller.user.id);
  const now = deps.clock.now();
  const body = html`${noticeOf(request)}
<p>Programs that you let use the MCP servers here as you. What a program calls itself is its own word; where it was sent back to is not.</p>
${apps.length === 0 ? html`<p>None is connected.</p>` : html`<div class="card">${appTable(apps, deps.brokerRole, now)}</div>${END_ALL}`}`;
  return personPage(caller, { title: 'Connected apps', body, path: PATH });
}

function appTable(apps: readonly ConnectedApp[], broker: RoleGuard, now: number): Html {
  return html`<table class="rows">
<thead><tr><th scope="col">Program</th><th scope="col">May use</th><th scope="col">Last used</th><th scope="col">Running</th><th scope="col"><span class="visually-hidden">Act</span></th></tr></thead>
<tbody>
${apps.map((app) => appRow(app, broker, now))}</tbody>
</table>`;
}

function appRow(app: ConnectedApp, broker: RoleGuard, now: number): Html {
  return html`<tr>
<td><strong class="any">“${app.name}”</strong>
<br><small class="any">${app.redirectUri === undefined ? 'Let in by a code that you typed' : html`Sent back to ${redirectHost(app.redirectUri)}`}</small>
<br><small>Connected ${instant(app.createdAt)}, ends ${instant(app.expiresAt)}</small></td>
<td data-label="May use"><code class="any">${app.scope}</code>${app.backend === undefined && html`<br><small>not here any more</small>`}</td>
<td data-label="Last used">${ago(app.lastSeenAt, now)}</td>
<td data-label="Running">${app.children === undefined ? toldElsewhere(broker) : childLines(app.children, now)}</td>
<td><form class="inline" method="post" action="${PATH}/end">
<input type="hidden" name="id" value="${app.id}">
<button class="danger small" aria-label="Disconnect ${app.name}">Disconnect</button></form></td>
</tr>
`;
}

function childLines(children: readonly RunningChild[], now: number): Html | string {
  return children.length === 0 ? '–' : html`${children.map((child) => childLine(child, now))}`;
}

function childLine({ pid, memoryBytes, startedAt }: RunningChild, now: number): Html {
  const parts = [
    pid === undefined ? 'elsewhere' : `process ${pid}`,
    ...(memoryBytes === undefined ? [] : [`${Math.round(memoryBytes / BYTES_PER_MIB)} MB`]),
    `for ${durationText(now - startedAt)}`,
  ];
  return html`<span class="any">${parts.join(', ')}</span><br>`;
}

const END_ALL = html`<form method="post" action="${PATH}/end-all">
<button class="danger">Disconnect all of them</button></form>`;

async function endOne(deps: WebDeps, request: Request, caller: Caller): Promise<Response> {
  const form = await readOwnForm(request, deps);
  const ended = await deps.connectedApps.end(sessionIdOf(form), personOf(request, caller));
  if (!ended) throw unknownSession();
  return seeOther(withNotice(PATH, 'app-ended'));
}

async function endAll(deps: WebDeps, request: Request, caller: Caller): Promise<Response> {
  await readOwnForm(request, deps);
  await deps.connectedApps.endAll(personOf(request, caller));
  return seeOther(withNotice(PATH, 'apps-ended'));
}

const personOf = (request: Request, caller: Caller) => ({
  ...actorOf(request, caller),
  userId: caller.user.id,
});
