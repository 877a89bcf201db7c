import { z } from 'zod';
import type { AuditRecorder } from '../audit/recorder.ts';
import type { RoleGuard } from '../db/role-guard.ts';
import { type ApiRoute, apiRoute, notFound } from '../http/api-route.ts';
import type { Clock } from '../lib/clock.ts';
import { actorOf, type SessionApiAccess } from '../sessions/guard.ts';
import type { Devices } from './devices.ts';
import { deviceParam } from './dto.ts';
import { streamParam, toTunnelDto, tunnelDto } from './dto-tunnels.ts';
import type { Hub } from './hub.ts';
import { tunnelActs } from './tunnel-acts.ts';

export interface TunnelRoutesDeps {
  hub: Pick<Hub, 'find' | 'kill' | 'disconnect'>;
  hubRole: RoleGuard;
  devices: Pick<Devices, 'requireOf'>;
  access: SessionApiAccess;
  audit: AuditRecorder;
  clock: Clock;
}

const tag = 'Devices';
const params = z.strictObject({ device: deviceParam });

/** What is open between here and a device, for the person it belongs to. */
export function tunnelRoutes(deps: TunnelRoutesDeps): ApiRoute[] {
  const { hub, hubRole, devices, access } = deps;
  const acts = tunnelActs(deps);

  return [
    apiRoute({
      method: 'GET',
      path: '/api/v1/devices/{device}/tunnel',
      operationId: 'getTunnel',
      tag,
      summary: 'The tunnel of one of my devices, and what is open in it',
      access: access.scoped('devices:read'),
      params,
      answer: {
        status: 200,
        description: 'The tunnel; 404 when the device is not connected.',
        schema: tunnelDto,
      },
      handle({ caller, params: { device } }) {
        const found = devices.requireOf(caller.user, device);
        hubRole.require();
        const tunnel = hub.find(found.id);
        if (tunnel === undefined) throw notFound();
        return toTunnelDto(tunnel);
      },
    }),

    apiRoute({
      method: 'DELETE',
      path: '/api/v1/devices/{device}/tunnel',
      operationId: 'endTunnel',
      tag,
      summary: 'End the tunnel of one of my devices',
      description: 'Everything in it ends. The device dials again; to keep it out, unpair it.',
      access: access.scoped('devices:write'),
      params,
      answer: { status: 204, description: 'It has ended.' },
      handle({ request, caller, params: { device } }) {
        const found = devices.requireOf(caller.user, device);
        if (!acts.endTunnel(found, actorOf(request, caller))) throw notFound();
        return undefined;
      },
    }),

    apiRoute({
      method: 'DELETE',
      path: '/api/v1/devices/{device}/tunnel/streams/{id}',
      operationId: 'endStream',
      tag,
      summary: 'End one request, WebSocket or connection to a device',
      access: access.scoped('devices:write'),
      params: params.extend({ id: streamParam }),
      answer: { status: 204, description: 'It has ended.' },
      handle({ request, caller, params: { device, id } }) {
        const found = devices.requireOf(caller.user, device);
        if (!acts.endStream(found, id, actorOf(request, caller))) throw notFound();
        return undefined;
      },
    }),
  ];
}
