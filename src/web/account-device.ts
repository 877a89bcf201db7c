import { labelsDto, nameDto } from '../devices/dto.ts';
import type { Device, DeviceLabels } from '../devices/model.ts';
import { singleParam } from '../http/form.ts';
import { type Html, html } from '../http/html.ts';
import { toProblem } from '../http/problem.ts';
import type { Router } from '../http/router.ts';
import { shortcomings } from '../http/shortcomings.ts';
import { AppError } from '../lib/app-error.ts';
import { actorOf, type Caller } from '../sessions/guard.ts';
import { keyFingerprint } from '../signatures/fingerprint.ts';
import { connection } from './account-devices.ts';
import type { WebDeps } from './deps.ts';
import { deliveryPart } from './device-delivery-part.ts';
import { guestPart } from './device-guest-part.ts';
import { DEVICES_PATH, pathOf } from './device-paths.ts';
import { tunnelPart } from './device-tunnel-part.ts';
import { errorNotice, field } from './fields.ts';
import { noticeOf, withNotice } from './notices.ts';
import { personPage } from './shell.ts';
import { instant } from './time-text.ts';
import { orSignIn, readOwnForm, seeOther } from './visits.ts';

const PATH = `${DEVICES_PATH}/:device`;

/** `/account/devices/<handle>`: one device, and everything that can be done with it. */
export function onePages(router: Router, deps: WebDeps): void {
  const { guard } = deps;
  router
    .get(PATH, ({ request, params }) =>
      orSignIn(request, async () => {
        const caller = await guard.browserSession(request);
        return devicePage(deps, request, caller, requireDevice(deps, caller, params.device));
      }),
    )
    .post(`${PATH}/change`, async ({ request, params }) =>
      change(deps, request, await guard.browserSession(request), params.device),
    )
    .post(`${PATH}/unpair`, async ({ request, params }) =>
      unpair(deps, request, await guard.browserSession(request), params.device),
    );
}

/** @throws AppError `not_found` for what is not theirs. */
export function requireDevice({ devices }: WebDeps, { user }: Caller, named: string): Device {
  return devices.devices.requireOf(user, named);
}

/** The page of a device; `refusal` is what was wrong with a form on it. */
export function devicePage(
  deps: WebDeps,
  request: Request,
  caller: Caller,
  device: Device,
  refusal?: AppError,
): Response {
  const body = html`${refusal === undefined ? noticeOf(request) : errorNotice(refusal.message)}
<div class="card">${facts(deps, device)}</div>
${tunnelPart(deps, device)}
${guestPart(deps, device)}
${deliveryPart(deps, device)}
<h2>Name and labels</h2>
${changeForm(device)}
<h2>Unpair</h2>
<form class="card" method="post" action="${pathOf(device)}/unpair">
<p>Its key, its token and its tunnel end at once, with everything that goes through it, its guest links, and what waits for it.</p>
<label class="choice"><input type="checkbox" name="sure" required>Yes, unpair ${device.name}</label>
<button class="danger">Unpair</button>
</form>
<p><a href="${DEVICES_PATH}">All your devices</a></p>`;
  const problem = refusal && toProblem(refusal);
  return personPage(caller, {
    title: device.name,
    body,
    status: problem?.status,
    headers: problem?.headers,
    path: DEVICES_PATH,
  });
}

function facts({ devices, hubRole, clock, origin }: WebDeps, device: Device): Html {
  const { serial, platform, chip, report } = device;
  const row = (name: string, value: string | undefined) =>
    value !== undefined &&
    html`<dt>${name}</dt><dd class="any">${value}</dd>
`;
  return html`<dl>
<dt>Now</dt><dd>${connection(devices.seen.of(device), hubRole, clock.now())}</dd>
${row('Handle', device.handle)}${row('Serial number', serial)}${row('Platform', platform)}${row('Chip', chip)}<dt>Fingerprint</dt><dd class="mono">${keyFingerprint(device.publicKey)}</dd>
<dt>Paired</dt><dd>${instant(device.pairedAt)}</dd>
${
  report !== undefined &&
  html`<dt>It says</dt><dd>${report.version !== undefined && html`version <span class="any">${report.version}</span>, `}${instant(report.at)}${stateOf(report.state)}</dd>
`
}<dt>From your tools</dt><dd><code class="any">postern connect ${device.handle} SERVICE --server ${origin.origin}</code></dd>
</dl>`;
}

/** A device may say whatever it likes of itself. */
function stateOf(state: Readonly<Record<string, string | number | boolean>> = {}): Html[] {
  return Object.entries(state).map(
    ([name, value]) => html`<br><small class="any">${name}: ${String(value)}</small>`,
  );
}

function changeForm(device: Device): Html {
  const lines = Object.entries(device.labels).map(([name, value]) => `${name}=${value}`);
  return html`<form class="card" method="post" action="${pathOf(device)}/change">
${field({ name: 'name', label: 'Name', hint: 'Its handle stays, and so do its addresses.', value: device.name, autocomplete: 'off', maxLength: 100 })}
<label for="labels">Labels</label>
<p class="hint" id="labels-hint">One on each line, like room=kitchen.</p>
<textarea id="labels" name="labels" class="mono" rows="3" autocomplete="off" autocapitalize="none" spellcheck="false" aria-describedby="labels-hint">
${lines.join('\n')}</textarea>
<button>Save</button>
</form>`;
}

async function change(deps: WebDeps, request: Request, caller: Caller, named: string): Promise<Response> {
  const form = await readOwnForm(request, deps);
  const device = requireDevice(deps, caller, named);
  try {
    const patch = readPatch(form);
    const changed = await deps.devices.devices.update(device, patch, actorOf(request, caller));
    if (changed === undefined) throw gone();
    return seeOther(withNotice(pathOf(changed), 'device-changed'));
  } catch (error) {
    if (!(error instanceof AppError) || error.kind !== 'unprocessable') throw error;
    return devicePage(deps, request, caller, device, error);
  }
}

function readPatch(form: URLSearchParams): { name: string; labels: DeviceLabels } {
  const name = nameDto.safeParse(singleParam(form, 'name'));
  if (!name.success) throw unfit('The name does not fit', shortcomings(name.error));
  const lines = readLabels(singleParam(form, 'labels') ?? '');
  const labels = labelsDto.safeParse(Object.fromEntries(lines));
  if (!labels.success) throw unfit('The labels do not fit', shortcomings(labels.error));
  if (Object.keys(labels.data).length !== lines.length) {
    throw unfit('The labels do not fit', 'each has to have a name of its own');
  }
  return { name: name.data, labels: labels.data };
}

/** `name=value` or `name` on each line. */
function readLabels(text: string): [name: string, value: string][] {
  const lines = text.split(/\r?\n/).map((each) => each.trim());
  return lines
    .filter((each) => each !== '')
    .map((each) => {
      const at = each.indexOf('=');
      return at === -1 ? [each, ''] : [each.slice(0, at).trim(), each.slice(at + 1).trim()];
    });
}

async function unpair(deps: WebDeps, request: Request, caller: Caller, named: string): Promise<Response> {
  const form = await readOwnForm(request, deps);
  const device = requireDevice(deps, caller, named);
  if (singleParam(form, 'sure') === undefined) {
    const unsure = new AppError('unprocessable', 'invalid_form', 'Tick the box if you mean it.');
    return devicePage(deps, request, caller, device, unsure);
  }
  if (!(await deps.devices.devices.unpair(device, actorOf(request, caller)))) throw gone();
  return seeOther(withNotice(DEVICES_PATH, 'device-unpaired'));
}

const unfit = (what: string, why: string) =>
  new AppError('unprocessable', 'invalid_form', `${what}: ${why}.`);
const gone = () => new AppError('not_found', 'not_found', 'There is no such device any more.');
