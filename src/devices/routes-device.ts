import { z } from 'zod';
import { type ApiRoute, apiRoute } from '../http/api-route.ts';
import { requestContext } from '../http/request-context.ts';
import { AppError } from '../lib/app-error.ts';
import type { Devices } from './devices.ts';
import { ownDeviceDto, reportDto, toOwnDevice } from './dto.ts';
import { pairedDto, proofFields, readProof, toPaired } from './dto-pairings.ts';
import type { DeviceApiAccess, DeviceCaller } from './guard-signed.ts';
import type { DeviceKeys } from './keys.ts';
import type { Device, DeviceId } from './model.ts';
import { PROOF_REFUSALS } from './routes-pairings.ts';

export interface OwnDeviceRoutesDeps {
  devices: Pick<Devices, 'find' | 'report' | 'unpair'>;
  keys: DeviceKeys;
  access: DeviceApiAccess;
  /** Where a device dials to be reached. */
  tunnelUrl: string;
}

const tag = 'Device';
const path = '/api/v1/device';

/** What a device does with itself. */
export function ownDeviceRoutes({ devices, keys, access, tunnelUrl }: OwnDeviceRoutesDeps): ApiRoute[] {
  const deviceOf = ownDeviceOf(devices);

  return [
    apiRoute({
      method: 'GET',
      path,
      operationId: 'getOwnDevice',
      tag,
      summary: 'The device that asks',
      description: 'The session token is enough.',
      access: access.known,
      answer: { status: 200, description: 'What is known of it.', schema: ownDeviceDto },
      refusals: [{ kind: 'unauthorized', code: 'session_ended' }],
      handle: ({ caller }) => toOwnDevice(deviceOf(caller), tunnelUrl),
    }),

    apiRoute({
      method: 'PATCH',
      path,
      operationId: 'reportDevice',
      tag,
      summary: 'Report version and state',
      access: access.signed,
      body: reportDto,
      answer: { status: 200, description: 'The device as it stands now.', schema: ownDeviceDto },
      refusals: [{ kind: 'unauthorized', code: 'session_ended' }],
      async handle({ caller, body: { version, state } }) {
        const device = await devices.report(deviceOf(caller), { version, state });
        if (device === undefined) throw ended();
        return toOwnDevice(device, tunnelUrl);
      },
    }),

    apiRoute({
      method: 'DELETE',
      path,
      operationId: 'unpairOwnDevice',
      tag,
      summary: 'Unpair the device that asks',
      access: access.signed,
      answer: { status: 204, description: 'It is paired no more.' },
      refusals: [{ kind: 'unauthorized', code: 'session_ended' }],
      async handle({ request, caller }) {
        const { address, userAgent } = requestContext(request);
        if (!(await devices.unpair(deviceOf(caller), { address, userAgent }))) throw ended();
        return undefined;
      },
    }),

    apiRoute({
      method: 'POST',
      path: `${path}/key`,
      operationId: 'rotateDeviceKey',
      tag,
      summary: 'Replace the key of the device, and its token',
      description:
        'Signed with the key so far; the proof is made with the new one, over the id of the session. Without an answer ask again, signed with the new key.',
      access: access.signed,
      body: z.strictObject(proofFields, { error: 'an object' }).meta({ id: 'NewDeviceKey' }),
      answer: { status: 200, description: 'The device, with a new token.', schema: pairedDto },
      refusals: [
        { kind: 'unauthorized', code: 'session_ended' },
        ...PROOF_REFUSALS,
        { kind: 'conflict', code: 'key_in_use' },
      ],
      async handle({ request, caller, body }) {
        const { address, userAgent } = requestContext(request);
        const from = { address, userAgent, signedWith: caller.publicKey };
        const paired = await keys.rotate(deviceOf(caller), readProof(body), from);
        if (paired === undefined) throw ended();
        return toPaired(paired, tunnelUrl);
      },
    }),
  ];
}

/** The device that asks. @throws AppError `unauthorized` (`session_ended`). */
export const ownDeviceOf =
  (devices: Pick<Devices, 'find'>) =>
  ({ deviceId }: DeviceCaller): Device => {
    const device = devices.find(deviceId as DeviceId);
    if (device === undefined) throw ended();
    return device;
  };

/** It was unpaired while it asked. */
const ended = () => new AppError('unauthorized', 'session_ended', 'The device is not paired any more.');
