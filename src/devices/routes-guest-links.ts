import { z } from 'zod';
import { type ApiRoute, apiRoute, notFound } from '../http/api-route.ts';
import { requestContext } from '../http/request-context.ts';
import { AppError } from '../lib/app-error.ts';
import type { Caller, SessionApiAccess } from '../sessions/guard.ts';
import type { User } from '../users/model.ts';
import type { ReachedDevice } from './access.ts';
import {
  createdGuestLinkDto,
  guestLinkId,
  guestLinkListDto,
  newGuestLinkDto,
  toCreatedGuestLink,
  toGuestLinkList,
} from './dto-guest-links.ts';
import type { GuestLinks } from './guest-links.ts';

export interface GuestLinkRoutesDeps {
  links: GuestLinks;
  access: SessionApiAccess;
  /** The live device that a path names, by id or handle. @throws AppError `not_found` unless this person may see it. */
  deviceOf: (user: User, device: string) => ReachedDevice;
}

const tag = 'Guest links';
const device = z.string().max(100).describe('id or handle of a device');

/** Links by which people without an account reach a device. Only whoever paired it makes them, in a browser session. */
export function guestLinkRoutes({ links, access, deviceOf }: GuestLinkRoutesDeps): ApiRoute[] {
  return [
    apiRoute({
      method: 'GET',
      path: '/api/v1/devices/{device}/guest-links',
      operationId: 'listGuestLinks',
      tag,
      summary: 'Guest links of a device',
      access: access.scoped('devices:read'),
      params: z.strictObject({ device }),
      answer: { status: 200, description: 'All of them, without their secrets.', schema: guestLinkListDto },
      handle: ({ caller, params }) => toGuestLinkList(links.list(deviceOf(caller.user, params.device))),
    }),

    apiRoute({
      method: 'POST',
      path: '/api/v1/devices/{device}/guest-links',
      operationId: 'createGuestLink',
      tag,
      summary: 'Make a guest link',
      access: access.browser,
      params: z.strictObject({ device }),
      body: newGuestLinkDto,
      answer: { status: 201, description: 'The link, its address this once.', schema: createdGuestLinkDto },
      refusals: [
        { kind: 'unauthorized', code: 'session_ended' },
        { kind: 'forbidden', code: 'not_your_device' },
        { kind: 'unprocessable', code: 'no_device_hosts' },
        { kind: 'unprocessable', code: 'lifetime_too_long' },
        { kind: 'unprocessable', code: 'too_many_guest_links' },
      ],
      async handle({ request, caller, params, body: { service, label, expires_in, max_uses } }) {
        const found = deviceOf(caller.user, params.device);
        if (found.userId !== caller.user.id) throw notYourDevice();
        const wanted = { service, label, lifetimeMs: expires_in * 1_000, maxUses: max_uses };
        const by = { ...actor(request, caller), sessionId: caller.session.id };
        return toCreatedGuestLink(await links.make(found, wanted, by));
      },
    }),

    apiRoute({
      method: 'DELETE',
      path: '/api/v1/devices/{device}/guest-links/{id}',
      operationId: 'endGuestLink',
      tag,
      summary: 'End a guest link, and every session that began with it',
      access: access.scoped('devices:write'),
      params: z.strictObject({ device, id: guestLinkId }),
      answer: { status: 204, description: 'It has ended.' },
      async handle({ request, caller, params }) {
        const found = deviceOf(caller.user, params.device);
        if (!(await links.end(found, params.id, actor(request, caller)))) throw notFound();
        return undefined;
      },
    }),
  ];
}

function actor(request: Request, { user }: Caller) {
  const { address, userAgent } = requestContext(request);
  return { userId: user.id, address, userAgent };
}

/** A guest acts as the person whose device it is: nobody else lends that out. */
const notYourDevice = () =>
  new AppError(
    'forbidden',
    'not_your_device',
    'Only the person who paired a device makes guest links for it.',
  );
