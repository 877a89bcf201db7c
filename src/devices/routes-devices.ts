import { z } from 'zod';
import { type ApiRoute, apiRoute, notFound } from '../http/api-route.ts';
import { actorOf, type SessionApiAccess } from '../sessions/guard.ts';
import { userId } from '../users/dto.ts';
import type { UserStore } from '../users/store.ts';
import type { Devices } from './devices.ts';
import {
  deviceDto,
  deviceListDto,
  deviceParam,
  devicePatchDto,
  hasLabels,
  labelQuery,
  toDeviceDto,
} from './dto.ts';
import type { Device } from './model.ts';
import type { SeenDevices } from './seen.ts';

export interface DeviceRoutesDeps {
  devices: Devices;
  seen: SeenDevices;
  access: SessionApiAccess;
  users: Pick<UserStore, 'find'>;
}

const tag = 'Devices';
const params = z.strictObject({ device: deviceParam });
const userParams = z.strictObject({ id: userId });

/** What people do with their devices, and owners with those of anybody. */
export function deviceRoutes({ devices, seen, access, users }: DeviceRoutesDeps): ApiRoute[] {
  const toDto = (device: Device) => toDeviceDto(device, seen.of(device));

  return [
    apiRoute({
      method: 'GET',
      path: '/api/v1/devices',
      operationId: 'listDevices',
      tag,
      summary: 'My devices, by name',
      access: access.scoped('devices:read'),
      query: z.strictObject({ label: labelQuery }),
      answer: { status: 200, description: 'Those that are paired.', schema: deviceListDto },
      handle: ({ caller, query: { label = [] } }) => ({
        devices: seen
          .list(devices.list(caller.user.id).filter((device) => hasLabels(device, label)))
          .map(([device, what]) => toDeviceDto(device, what)),
      }),
    }),

    apiRoute({
      method: 'GET',
      path: '/api/v1/devices/{device}',
      operationId: 'getDevice',
      tag,
      summary: 'One of my devices',
      access: access.scoped('devices:read'),
      params,
      answer: { status: 200, description: 'The device.', schema: deviceDto },
      handle: ({ caller, params: { device } }) => toDto(devices.requireOf(caller.user, device)),
    }),

    apiRoute({
      method: 'PATCH',
      path: '/api/v1/devices/{device}',
      operationId: 'updateDevice',
      tag,
      summary: 'Rename or relabel one of my devices',
      access: access.scoped('devices:write'),
      params,
      body: devicePatchDto,
      answer: { status: 200, description: 'The device as it stands now.', schema: deviceDto },
      async handle({ request, caller, params: { device }, body: { name, labels } }) {
        const patch = { ...(name !== undefined && { name }), ...(labels && { labels }) };
        const found = devices.requireOf(caller.user, device);
        const changed = await devices.update(found, patch, actorOf(request, caller));
        if (changed === undefined) throw notFound();
        return toDto(changed);
      },
    }),

    apiRoute({
      method: 'DELETE',
      path: '/api/v1/devices/{device}',
      operationId: 'unpairDevice',
      tag,
      summary: 'Unpair one of my devices',
      description: 'Its session, tunnel, deliveries and guests end with it.',
      access: access.scoped('devices:write'),
      params,
      answer: { status: 204, description: 'Nothing of the device works any more.' },
      async handle({ request, caller, params: { device } }) {
        const found = devices.requireOf(caller.user, device);
        if (!(await devices.unpair(found, actorOf(request, caller)))) throw notFound();
        return undefined;
      },
    }),

    apiRoute({
      method: 'GET',
      path: '/api/v1/users/{id}/devices',
      operationId: 'listUserDevices',
      tag: 'Users',
      summary: 'The devices of a user, by name',
      access: access.owner,
      params: userParams,
      answer: { status: 200, description: 'Those that are paired.', schema: deviceListDto },
      handle({ params: { id } }) {
        if (users.find(id) === undefined) throw notFound();
        const listed = seen.list(devices.list(id));
        return { devices: listed.map(([device, what]) => toDeviceDto(device, what)) };
      },
    }),

    apiRoute({
      method: 'DELETE',
      path: '/api/v1/users/{id}/devices/{device}',
      operationId: 'unpairUserDevice',
      tag: 'Users',
      summary: 'Unpair a device of a user',
      access: access.owner,
      params: userParams.extend({ device: deviceParam }),
      answer: { status: 204, description: 'Nothing of the device works any more.' },
      async handle({ request, caller, params: { id, device } }) {
        const found = devices.requireOf({ id }, device);
        if (!(await devices.unpair(found, actorOf(request, caller), 'ended_by_owner'))) throw notFound();
        return undefined;
      },
    }),
  ];
}
