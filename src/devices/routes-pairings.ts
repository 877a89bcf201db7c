import { z } from 'zod';
import { type ApiAccess, type ApiRefusal, type ApiRoute, apiRoute, notFound } from '../http/api-route.ts';
import { requestContext } from '../http/request-context.ts';
import { qrSvg } from '../lib/qr.ts';
import { actorOf, type SessionApiAccess } from '../sessions/guard.ts';
import {
  createdPairingDto,
  pairedDto,
  pairingId,
  pairingListDto,
  readRedemption,
  redeemDto,
  toCreatedPairing,
  toPaired,
  toPairingList,
} from './dto-pairings.ts';
import type { Pairings } from './pairings.ts';
import type { Redeem } from './redeem.ts';

export interface PairingRoutesDeps {
  pairings: Pairings;
  redeem: Redeem;
  access: SessionApiAccess;
  /** Where a device dials to be reached. */
  tunnelUrl: string;
}

const tag = 'Pairing';

/** What a device brings stands in the body: nobody is known before. */
export const byBody: ApiAccess<undefined> = {
  by: 'body',
  refusals: [],
  authenticate: () => Promise.resolve(undefined),
};

/** How a proof is refused. */
export const PROOF_REFUSALS: readonly ApiRefusal[] = [
  { kind: 'unprocessable', code: 'bad_public_key' },
  ...['proof_invalid', 'proof_stale', 'proof_future', 'proof_replayed'].map(
    (code): ApiRefusal => ({ kind: 'unauthorized', code }),
  ),
];

/** How a device is refused that somebody would have let in. */
export const ADMISSION_REFUSALS: readonly ApiRefusal[] = [
  { kind: 'conflict', code: 'key_in_use' },
  { kind: 'conflict', code: 'serial_in_use' },
  { kind: 'unprocessable', code: 'too_many_devices' },
];

/** How a person lets a device in, and how the device comes in. */
export function pairingRoutes({ pairings, redeem, access, tunnelUrl }: PairingRoutesDeps): ApiRoute[] {
  return [
    apiRoute({
      method: 'GET',
      path: '/api/v1/pairings',
      operationId: 'listPairings',
      tag,
      summary: 'My pairing codes that a device could still redeem',
      access: access.browser,
      answer: { status: 200, description: 'All of them, without their secrets.', schema: pairingListDto },
      handle: ({ caller }) => toPairingList(pairings.list(caller.user.id)),
    }),

    apiRoute({
      method: 'POST',
      path: '/api/v1/pairings',
      operationId: 'createPairing',
      tag,
      summary: 'Make a code with which one device is paired with me',
      description: 'It is void as soon as the session that made it ends.',
      access: access.browser,
      answer: { status: 201, description: 'The code, this once.', schema: createdPairingDto },
      refusals: [
        { kind: 'unauthorized', code: 'session_ended' },
        { kind: 'unprocessable', code: 'too_many_pairings' },
      ],
      async handle({ request, caller }) {
        const made = await pairings.create(actorOf(request, caller));
        return toCreatedPairing(made, await qrSvg(made.link));
      },
    }),

    apiRoute({
      method: 'DELETE',
      path: '/api/v1/pairings/{id}',
      operationId: 'cancelPairing',
      tag,
      summary: 'Cancel a pairing code that nobody has redeemed',
      access: access.browser,
      params: z.strictObject({ id: pairingId }),
      answer: { status: 204, description: 'No device can be paired with it.' },
      async handle({ request, caller, params: { id } }) {
        if (!(await pairings.cancel(id, actorOf(request, caller)))) throw notFound();
        return undefined;
      },
    }),

    apiRoute({
      method: 'POST',
      path: '/api/v1/pairings/redeem',
      operationId: 'redeemPairing',
      tag,
      summary: 'Pair the device that asks, with a code or a token',
      description:
        'Unknown, expired, used and foreign codes look alike. The same key may ask again with a fresh proof, as long as the code lives; it gets a new token.',
      access: byBody,
      body: redeemDto,
      answer: { status: 201, description: 'The device, with its session.', schema: pairedDto },
      refusals: [
        { kind: 'forbidden', code: 'pairing_refused' },
        ...PROOF_REFUSALS,
        ...ADMISSION_REFUSALS,
        { kind: 'too_many_requests', code: 'too_many_attempts' },
      ],
      async handle({ request, body }) {
        const { address, userAgent } = requestContext(request);
        return toPaired(await redeem(readRedemption(body), { address, userAgent }), tunnelUrl);
      },
    }),
  ];
}
