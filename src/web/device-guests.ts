import { guestLinkId, newGuestLinkDto } from '../devices/dto-guest-links.ts';
import type { GuestLinkRequest, MadeGuestLink } from '../devices/guest-links.ts';
import type { Device } from '../devices/model.ts';
import { singleParam } from '../http/form.ts';
import { html } from '../http/html.ts';
import type { Router } from '../http/router.ts';
import { shortcomings } from '../http/shortcomings.ts';
import { AppError } from '../lib/app-error.ts';
import { actorOf, type Caller } from '../sessions/guard.ts';
import { devicePage, requireDevice } from './account-device.ts';
import type { WebDeps } from './deps.ts';
import { DEVICES_PATH, pathOf } from './device-paths.ts';
import { withNotice } from './notices.ts';
import { personPage } from './shell.ts';
import { instant } from './time-text.ts';
import { readOwnForm, seeOther } from './visits.ts';

const PATH = `${DEVICES_PATH}/:device/guest-links`;

/** Guest links of a device: to make one, and to end one. */
export function guestPages(router: Router, deps: WebDeps): void {
  const { guard } = deps;
  router
    .post(PATH, async ({ request, params }) =>
      make(deps, request, await guard.browserSession(request), params.device),
    )
    .post(`${PATH}/end`, async ({ request, params }) =>
      end(deps, request, await guard.browserSession(request), params.device),
    );
}

async function make(deps: WebDeps, request: Request, caller: Caller, named: string): Promise<Response> {
  const form = await readOwnForm(request, deps);
  const device = requireDevice(deps, caller, named);
  try {
    return madePage(
      caller,
      device,
      await deps.deviceReach.links.make(device, wanted(form), actorOf(request, caller)),
    );
  } catch (error) {
    if (!(error instanceof AppError) || error.kind !== 'unprocessable') throw error;
    return devicePage(deps, request, caller, device, error);
  }
}

function wanted(form: URLSearchParams): GuestLinkRequest {
  const number = (name: string) => Number(singleParam(form, name) ?? Number.NaN);
  const parsed = newGuestLinkDto.safeParse({
    service: singleParam(form, 'service') ?? '',
    label: singleParam(form, 'label') ?? '',
    expires_in: number('expires_in'),
    max_uses: number('max_uses'),
  });
  if (!parsed.success) {
    throw new AppError(
      'unprocessable',
      'invalid_form',
      `The form does not fit: ${shortcomings(parsed.error)}.`,
    );
  }
  const { service, label, expires_in, max_uses } = parsed.data;
  return { service, label, lifetimeMs: expires_in * 1_000, maxUses: max_uses };
}

function madePage(caller: Caller, device: Device, { link, url }: MadeGuestLink): Response {
  const body = html`<p class="notice" role="status">Hand this link on. Whoever opens it reaches <strong>${link.service}</strong> on ${device.name} as you, until ${instant(link.expiresAt)}.</p>
<div class="card">
<label for="guest-link">Guest link</label>
<textarea id="guest-link" class="mono" rows="4" readonly>${url}</textarea>
<p>It is shown this once. You can end it at any time on the page of the device.</p>
<p><a class="button" href="${pathOf(device)}">I have copied it</a></p>
</div>`;
  return personPage(caller, { title: 'Your guest link', body, path: DEVICES_PATH, narrow: true });
}

async function end(deps: WebDeps, request: Request, caller: Caller, named: string): Promise<Response> {
  const form = await readOwnForm(request, deps);
  const device = requireDevice(deps, caller, named);
  const id = guestLinkId.safeParse(singleParam(form, 'id')).data;
  const isEnded =
    id !== undefined && (await deps.deviceReach.links.end(device, id, actorOf(request, caller)));
  if (!isEnded) throw new AppError('not_found', 'not_found', 'There is no such link any more.');
  return seeOther(withNotice(pathOf(device), 'guest-link-ended'));
}
