import type { RefusalNotes } from '../forward-auth/guard-refusals.ts';
import { bearerToken } from '../http/bearer.ts';
import { requestContext } from '../http/request-context.ts';
import { AppError } from '../lib/app-error.ts';
import { reachAudience } from '../sessions/audience.ts';
import type { Authentication, Ledger } from '../sessions/ledger.ts';
import type { DeviceAccess } from './access.ts';
import type { Reach } from './guard-host.ts';
import { type Device, isDeviceId } from './model.ts';

export interface PathGuardDeps {
  ledger: Pick<Ledger, 'authenticate'>;
  directory: {
    find(id: Device['id']): Device | undefined;
    findByHandle(handle: string): Device | undefined;
  };
  mayReach: DeviceAccess['mayReach'];
  noteRefusal: RefusalNotes;
}

export type PathGuard = ReturnType<typeof pathGuard>;

/**
 * Decides who reaches a device at `/d/<device>/<service>`: a personal token that names both, and nothing a browser sends by
 * itself. A device that is not there and one that the token does not name look alike.
 */
export function pathGuard({ ledger, directory, mayReach, noteRefusal }: PathGuardDeps) {
  const judge = (request: Request, device: Device, service: string, found: Authentication): Reach<Device> => {
    if (!found.ok) throw invalidToken();
    if (!mayReach(found.user, device, service)) {
      const context = requestContext(request);
      noteRefusal('device.denied', { reason: 'not_allowed', context, caller: found });
      throw new AppError('forbidden', 'not_allowed', 'You may not open this.');
    }
    return { device, service, session: found.session.id, person: found.user };
  };

  /** @throws AppError `unauthorized` (`token_required`, `invalid_token`), `forbidden` (`not_allowed`). */
  return (request: Request, named: string, service: string): Reach<Device> | Promise<Reach<Device>> => {
    const token = bearerToken(request);
    if (token === undefined) {
      throw new AppError('unauthorized', 'token_required', 'This takes a personal token, as a bearer token.');
    }
    const device = isDeviceId(named) ? directory.find(named) : directory.findByHandle(named);
    if (device === undefined) throw invalidToken();
    const found = ledger.authenticate(token, 'personal', reachAudience(device.id, service));
    if (!(found instanceof Promise)) return judge(request, device, service, found);
    return found.then((late) => judge(request, device, service, late));
  };
}

const invalidToken = () =>
  new AppError('unauthorized', 'invalid_token', 'The token is unknown, has ended, or was not made for this.');
