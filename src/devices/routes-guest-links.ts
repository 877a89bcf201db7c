import { z } from 'zod';
import { type ApiRoute, apiRoute, notFound } from '../http/api-route.ts';
import { actorOf, type SessionApiAccess } from '../sessions/guard.ts';
import type { Devices } from './devices.ts';
import { deviceParam } from './dto.ts';
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
  devices: Pick<Devices, 'requireOf'>;
}

const tag = 'Guest links';
const params = z.strictObject({ device: deviceParam });

/** Links by which people without an account reach a device. A guest acts as whoever paired it: nobody else lends that out. */
export function guestLinkRoutes({ links, access, devices }: GuestLinkRoutesDeps): ApiRoute[] {
  return [
    apiRoute({
      method: 'GET',
      path: '/api/v1/devices/{device}/guest-links',
      operationId: 'listGuestLinks',
      tag,
      summary: 'Guest links of a device',
      access: access.scoped('devices:read'),
      params,
      answer: { status: 200, description: 'All of them, without their secrets.', schema: guestLinkListDto },
      handle: ({ caller, params: { device } }) =>
        toGuestLinkList(links.list(devices.requireOf(caller.user, device))),
    }),

    apiRoute({
      method: 'POST',
      path: '/api/v1/devices/{device}/guest-links',
      operationId: 'createGuestLink',
      tag,
      summary: 'Make a guest link',
      access: access.browser,
      params,
      body: newGuestLinkDto,
      answer: { status: 201, description: 'The link, its address this once.', schema: createdGuestLinkDto },
      refusals: [
        { kind: 'unauthorized', code: 'session_ended' },
        { kind: 'unprocessable', code: 'no_device_hosts' },
        { kind: 'unprocessable', code: 'lifetime_too_long' },
        { kind: 'unprocessable', code: 'too_many_guest_links' },
      ],
      async handle({ request, caller, params, body: { service, label, expires_in, max_uses } }) {
        const found = devices.requireOf(caller.user, params.device);
        const wanted = { service, label, lifetimeMs: expires_in * 1_000, maxUses: max_uses };
        const by = actorOf(request, caller);
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
      params: params.extend({ id: guestLinkId }),
      answer: { status: 204, description: 'It has ended.' },
      async handle({ request, caller, params }) {
        const found = devices.requireOf(caller.user, params.device);
        if (!(await links.end(found, params.id, actorOf(request, caller)))) throw notFound();
        return undefined;
      },
    }),
  ];
}
