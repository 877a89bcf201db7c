import { streamParam } from '../devices/dto-tunnels.ts';
import { singleParam } from '../http/form.ts';
import type { Router } from '../http/router.ts';
import { AppError } from '../lib/app-error.ts';
import { actorOf, type Caller } from '../sessions/guard.ts';
import { requireDevice } from './account-device.ts';
import type { WebDeps } from './deps.ts';
import { DEVICES_PATH, pathOf } from './device-paths.ts';
import { withNotice } from './notices.ts';
import { readOwnForm, seeOther } from './visits.ts';

const PATH = `${DEVICES_PATH}/:device`;

/** The tunnel of a device: to cut it, or one thing that is open in it. */
export function tunnelPages(router: Router, deps: WebDeps): void {
  const { guard } = deps;
  router
    .post(`${PATH}/tunnel/end`, async ({ request, params }) =>
      endTunnel(deps, request, await guard.browserSession(request), params.device),
    )
    .post(`${PATH}/streams/end`, async ({ request, params }) =>
      endStream(deps, request, await guard.browserSession(request), params.device),
    );
}

async function endTunnel(deps: WebDeps, request: Request, caller: Caller, named: string): Promise<Response> {
  await readOwnForm(request, deps);
  const device = requireDevice(deps, caller, named);
  if (!deps.tunnelActs.endTunnel(device, actorOf(request, caller))) throw gone();
  return seeOther(withNotice(pathOf(device), 'tunnel-ended'));
}

async function endStream(deps: WebDeps, request: Request, caller: Caller, named: string): Promise<Response> {
  const form = await readOwnForm(request, deps);
  const device = requireDevice(deps, caller, named);
  const id = streamParam.safeParse(singleParam(form, 'id')).data;
  const isEnded = id !== undefined && deps.tunnelActs.endStream(device, id, actorOf(request, caller));
  if (!isEnded) throw gone();
  return seeOther(withNotice(pathOf(device), 'stream-ended'));
}

const gone = () => new AppError('not_found', 'not_found', 'It has ended already.');
