import { deliveryParam } from '../devices/dto-deliveries.ts';
import { singleParam } from '../http/form.ts';
import type { Router } from '../http/router.ts';
import { AppError } from '../lib/app-error.ts';
import { actorOf, type Caller } from '../sessions/guard.ts';
import { requireDevice } from './account-device.ts';
import type { WebDeps } from './deps.ts';
import { DEVICES_PATH, pathOf } from './device-paths.ts';
import { withNotice } from './notices.ts';
import { readOwnForm, seeOther } from './visits.ts';

/** Messages that wait for a device: to take one back. They are left by programs, over the API. */
export function deliveryPages(router: Router, deps: WebDeps): void {
  router.post(`${DEVICES_PATH}/:device/deliveries/cancel`, async ({ request, params }) =>
    cancel(deps, request, await deps.guard.browserSession(request), params.device),
  );
}

async function cancel(deps: WebDeps, request: Request, caller: Caller, named: string): Promise<Response> {
  const form = await readOwnForm(request, deps);
  const device = requireDevice(deps, caller, named);
  const id = deliveryParam.safeParse(singleParam(form, 'id')).data;
  const isCancelled =
    id !== undefined && (await deps.devices.deliveries.cancel(device, id, actorOf(request, caller)));
  if (!isCancelled) throw new AppError('not_found', 'not_found', 'It does not wait any more.');
  return seeOther(withNotice(pathOf(device), 'delivery-cancelled'));
}
