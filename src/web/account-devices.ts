import type { RoleGuard } from '../db/role-guard.ts';
import { hasLabels, labelQuery } from '../devices/dto.ts';
import type { Device } from '../devices/model.ts';
import type { SeenDevice } from '../devices/seen.ts';
import { type Html, html } from '../http/html.ts';
import type { Router } from '../http/router.ts';
import type { Caller } from '../sessions/guard.ts';
import { queryOf } from '../sign-in/routes.ts';
import type { WebDeps } from './deps.ts';
import { waitingCodes } from './device-pairing.ts';
import { DEVICES_PATH, pathOf } from './device-paths.ts';
import { noticeOf } from './notices.ts';
import { toldElsewhere } from './other-node.ts';
import { personPage } from './shell.ts';
import { ago } from './time-text.ts';
import { orSignIn } from './visits.ts';

/** `/account/devices`: my devices, and how another one comes in. */
export function devicesPages(router: Router, deps: WebDeps): void {
  const { guard } = deps;
  router.get(DEVICES_PATH, ({ request }) =>
    orSignIn(request, async () => devicesPage(deps, request, await guard.browserSession(request))),
  );
}

function devicesPage(deps: WebDeps, request: Request, caller: Caller): Response {
  const { devices, seen } = deps.devices;
  const all = devices.list(caller.user.id);
  const filter = queryOf(request).get('label') ?? '';
  const shown = filtered(all, filter);
  const now = deps.clock.now();
  const body = html`${noticeOf(request)}
<p>What you have paired. Each one proves with every request that it holds its own key, and is out the moment you unpair it.</p>
${all.length === 0 ? html`<p>None is paired.</p>` : filterForm(filter)}
${shown.length > 0 && html`<div class="card">${deviceTable(seen.list(shown), deps.hubRole, now)}</div>`}
${all.length > 0 && shown.length === 0 && html`<p>None has these labels.</p>`}
<h2>Pair a device</h2>
<div class="actions">
<form method="post" action="${DEVICES_PATH}/pair"><button>Make a code for a device</button></form>
<a class="button quiet" href="/device">Type a code that a device shows</a>
</div>
${waitingCodes(deps, caller)}`;
  return personPage(caller, { title: 'Your devices', body, path: DEVICES_PATH });
}

/** What cannot be read as labels, no device has. */
function filtered(all: readonly Device[], filter: string): readonly Device[] {
  if (filter === '') return all;
  const wanted = labelQuery.safeParse(filter.trim().replaceAll(/\s*([,=])\s*/g, '$1')).data;
  return wanted === undefined ? [] : all.filter((device) => hasLabels(device, wanted));
}

function filterForm(filter: string): Html {
  return html`<form class="filter" method="get" action="${DEVICES_PATH}">
<label for="label">Only with labels</label>
<input id="label" name="label" value="${filter}" autocomplete="off" autocapitalize="none" spellcheck="false" maxlength="200" placeholder="room=kitchen, floor">
<button class="quiet small">Filter</button>
</form>`;
}

function deviceTable(devices: readonly (readonly [Device, SeenDevice])[], hub: RoleGuard, now: number): Html {
  const rows = devices.map(
    ([device, what]) => html`<tr>
<td><a href="${pathOf(device)}"><strong class="any">${device.name}</strong></a><br><small class="any">${[device.handle, device.platform].filter(Boolean).join(' · ')}</small></td>
<td data-label="Now">${connection(what, hub, now)}</td>
<td data-label="Labels">${labelBadges(device)}</td>
</tr>
`,
  );
  return html`<table class="rows">
<thead><tr><th scope="col">Device</th><th scope="col">Now</th><th scope="col">Labels</th></tr></thead>
<tbody>
${rows}</tbody>
</table>`;
}

/** What is seen of it, whatever it says of itself. */
export function connection({ connected, lastSeenAt }: SeenDevice, hub: RoleGuard, now: number): Html {
  if (connected === true) return html`<span class="badge">connected</span>`;
  const what = connected === undefined ? toldElsewhere(hub) : 'not connected';
  return html`${what}<br><small>last seen ${ago(lastSeenAt, now)}</small>`;
}

export function labelBadges({ labels }: Pick<Device, 'labels'>): Html {
  const badges = Object.entries(labels).map(
    ([name, value]) => html`<span class="label any">${value === '' ? name : `${name}=${value}`}</span>
`,
  );
  return badges.length === 0 ? html`–` : html`${badges}`;
}
