import { z } from 'zod';
import { type ApiRoute, apiRoute, notFound } from '../http/api-route.ts';
import { requestContext } from '../http/request-context.ts';
import { actorOf, type SessionApiAccess } from '../sessions/guard.ts';
import type { Deliveries } from './deliveries.ts';
import type { Devices } from './devices.ts';
import { deviceParam } from './dto.ts';
import {
  createdDeliveryDto,
  deliveryListDto,
  deliveryParam,
  newDeliveryDto,
  ownDeliveriesDto,
  receiptDto,
  toDeliveryDto,
  toOwnDeliveries,
} from './dto-deliveries.ts';
import type { DeviceApiAccess } from './guard-signed.ts';
import { ownDeviceOf } from './routes-device.ts';

export interface DeliveryRoutesDeps {
  deliveries: Deliveries;
  devices: Pick<Devices, 'requireOf' | 'find'>;
  access: SessionApiAccess;
  deviceAccess: DeviceApiAccess;
}

const tag = 'Deliveries';
const params = z.strictObject({ device: deviceParam });

/** Messages that people leave for a device, and that it fetches. */
export function deliveryRoutes(deps: DeliveryRoutesDeps): ApiRoute[] {
  return [...routesOfPeople(deps), ...routesOfDevices(deps)];
}

function routesOfPeople({ deliveries, devices, access }: DeliveryRoutesDeps): ApiRoute[] {
  return [
    apiRoute({
      method: 'GET',
      path: '/api/v1/devices/{device}/deliveries',
      operationId: 'listDeliveries',
      tag,
      summary: 'Messages to a device, and what became of them',
      access: access.scoped('devices:read'),
      params,
      answer: { status: 200, description: 'The newest 200.', schema: deliveryListDto },
      handle({ caller, params: { device } }) {
        const listed = deliveries.list(devices.requireOf(caller.user, device));
        const now = deliveries.now();
        return { deliveries: listed.map((delivery) => toDeliveryDto(delivery, now)) };
      },
    }),

    apiRoute({
      method: 'POST',
      path: '/api/v1/devices/{device}/deliveries',
      operationId: 'queueDelivery',
      tag,
      summary: 'Leave a message for a device',
      description:
        'It waits until the device fetches it, runs out, or is cancelled; devices get them in order.',
      access: access.scoped('devices:write'),
      params,
      body: newDeliveryDto,
      answer: { status: 201, description: 'It waits.', schema: createdDeliveryDto },
      refusals: [
        { kind: 'payload_too_large', code: 'delivery_too_large' },
        { kind: 'unprocessable', code: 'lifetime_too_long' },
        { kind: 'unprocessable', code: 'too_many_deliveries' },
      ],
      async handle({ request, caller, params: { device }, body: { body, expires_in } }) {
        const found = devices.requireOf(caller.user, device);
        const lifetimeMs = expires_in === undefined ? undefined : expires_in * 1_000;
        const queued = await deliveries.queue(found, { body, lifetimeMs }, actorOf(request, caller));
        return toDeliveryDto(queued, deliveries.now());
      },
    }),

    apiRoute({
      method: 'DELETE',
      path: '/api/v1/devices/{device}/deliveries/{delivery}',
      operationId: 'cancelDelivery',
      tag,
      summary: 'Cancel a message that waits',
      description: 'The device may have fetched it already, without having said what became of it.',
      access: access.scoped('devices:write'),
      params: params.extend({ delivery: deliveryParam }),
      answer: { status: 204, description: 'It waits no more.' },
      async handle({ request, caller, params: { device, delivery } }) {
        const found = devices.requireOf(caller.user, device);
        if (!(await deliveries.cancel(found, delivery, actorOf(request, caller)))) throw notFound();
        return undefined;
      },
    }),
  ];
}

function routesOfDevices({ deliveries, devices, deviceAccess }: DeliveryRoutesDeps): ApiRoute[] {
  const deviceOf = ownDeviceOf(devices);
  const refusals = [{ kind: 'unauthorized', code: 'session_ended' }] as const;

  return [
    apiRoute({
      method: 'GET',
      path: '/api/v1/device/deliveries',
      operationId: 'fetchDeliveries',
      tag,
      summary: 'Messages for the device that asks',
      description:
        'The session token is enough. A message comes again until its receipt has been sent; its id stays.',
      access: deviceAccess.known,
      answer: { status: 200, description: 'At most 32, oldest first.', schema: ownDeliveriesDto },
      refusals,
      handle: async ({ caller }) => toOwnDeliveries(await deliveries.take(deviceOf(caller))),
    }),

    apiRoute({
      method: 'POST',
      path: '/api/v1/device/deliveries/{delivery}/receipt',
      operationId: 'receiptDelivery',
      tag,
      summary: 'Say what became of a message',
      description: 'The same receipt may be sent again when its answer was lost.',
      access: deviceAccess.signed,
      params: z.strictObject({ delivery: deliveryParam }),
      body: receiptDto,
      answer: { status: 204, description: 'It does not come again.' },
      refusals: [...refusals, { kind: 'conflict', code: 'delivery_settled' }],
      async handle({ request, caller, params: { delivery }, body: { outcome, note } }) {
        const { address, userAgent } = requestContext(request);
        await deliveries.receive(deviceOf(caller), delivery, { outcome, note }, { address, userAgent });
        return undefined;
      },
    }),
  ];
}
