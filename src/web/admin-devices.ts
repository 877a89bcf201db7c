import { type Device, isDeviceId } from '../devices/model.ts';
import { singleParam } from '../http/form.ts';
import { type Html, html } from '../http/html.ts';
import type { Router } from '../http/router.ts';
import { AppError } from '../lib/app-error.ts';
import { actorOf, type Caller } from '../sessions/guard.ts';
import { connection, labelBadges } from './account-devices.ts';
import { USERS_PATH } from './admin-users.ts';
import type { WebDeps } from './deps.ts';
import { noticeOf, withNotice } from './notices.ts';
import { personPage } from './shell.ts';
import { instant } from './time-text.ts';
import { orSignIn, readOwnForm, seeOther } from './visits.ts';

const PATH = '/admin/devices';

/** `/admin/devices`: everybody's devices, for owners. They see and end them; what a device says is for whom it belongs to. */
export function allDevicesPages(router: Router, deps: WebDeps): void {
  const { guard } = deps;
  router
    .get(PATH, ({ request }) =>
      orSignIn(request, async () => allDevicesPage(deps, request, await guard.owner(request))),
    )
    .post(`${PATH}/unpair`, async ({ request }) => unpair(deps, request, await guard.owner(request)));
}

function allDevicesPage(deps: WebDeps, request: Request, caller: Caller): Response {
  const all = deps.devices.devices.list();
  const body = html`${noticeOf(request)}
<p>Everything that somebody has paired here.</p>
${all.length === 0 ? html`<p>None is paired.</p>` : html`<div class="card">${table(all, deps)}</div>`}`;
  return personPage(caller, { title: 'Everybody’s devices', body, path: PATH });
}

function table(all: readonly Device[], { devices: { seen }, hubRole, people, clock }: WebDeps): Html {
  const names = new Map(people.store.list().map(({ id, username }) => [id, username]));
  const now = clock.now();
  const rows = seen.list(all).map(
    ([device, what]) => html`<tr>
<td><strong class="any">${device.name}</strong><br><small class="any">${device.handle} · paired ${instant(device.pairedAt)}</small></td>
<td data-label="Of"><a class="any" href="${USERS_PATH}/${device.userId}">${names.get(device.userId) ?? device.userId}</a></td>
<td data-label="Now">${connection(what, hubRole, now)}</td>
<td data-label="Labels">${labelBadges(device)}</td>
<td><form class="inline" method="post" action="${PATH}/unpair">
<input type="hidden" name="id" value="${device.id}">
<button class="danger small" aria-label="Unpair ${device.name}">Unpair</button></form></td>
</tr>
`,
  );
  return html`<table class="rows">
<thead><tr><th scope="col">Device</th><th scope="col">Of</th><th scope="col">Now</th><th scope="col">Labels</th><th scope="col"><span class="visually-hidden">Act</span></th></tr></thead>
<tbody>
${rows}</tbody>
</table>`;
}

async function unpair(deps: WebDeps, request: Request, caller: Caller): Promise<Response> {
  const id = singleParam(await readOwnForm(request, deps), 'id') ?? '';
  const { devices } = deps.devices;
  const device = isDeviceId(id) ? devices.find(id) : undefined;
  const isUnpaired =
    device !== undefined && (await devices.unpair(device, actorOf(request, caller), 'ended_by_owner'));
  if (!isUnpaired) throw new AppError('not_found', 'not_found', 'There is no such device any more.');
  return seeOther(withNotice(PATH, 'device-unpaired'));
}
