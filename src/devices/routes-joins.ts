import { type ApiRefusal, type ApiRoute, apiRoute } from '../http/api-route.ts';
import { requestContext } from '../http/request-context.ts';
import { begunJoinDto, joinDto, joinRedemptionDto } from './dto-joins.ts';
import { pairedDto, readAbout, readProof, toPaired } from './dto-pairings.ts';
import type { OpenJoins } from './open-joins.ts';
import { ADMISSION_REFUSALS, byBody, PROOF_REFUSALS } from './routes-pairings.ts';

export interface JoinRoutesDeps {
  joins: OpenJoins;
  /** Where a device dials to be reached. */
  tunnelUrl: string;
}

const tag = 'Pairing';

/** What a device hears while it waits (RFC 8628 section 3.5). */
const WAITING: readonly ApiRefusal[] = [
  'authorization_pending',
  'slow_down',
  'access_denied',
  'expired_token',
].map((code) => ({ kind: 'bad_request', code }));

/** How a device asks to be let in, and hears what became of it. */
export function joinRoutes({ joins, tunnelUrl }: JoinRoutesDeps): ApiRoute[] {
  return [
    apiRoute({
      method: 'POST',
      path: '/api/v1/pairings/requests',
      operationId: 'beginJoin',
      tag,
      summary: 'Ask to be let in with a code that a person types',
      description: 'What the same key asked for before is void.',
      access: byBody,
      body: joinDto,
      answer: { status: 201, description: 'The codes.', schema: begunJoinDto },
      refusals: [
        ...PROOF_REFUSALS,
        { kind: 'too_many_requests', code: 'too_many_joins' },
        { kind: 'unavailable', code: 'too_many_joins' },
      ],
      async handle({ request, body }) {
        const begun = await joins.begin(readAbout(body), readProof(body), requestContext(request).address);
        return {
          device_code: begun.deviceCode,
          user_code: begun.userCode,
          verification_uri: joins.verificationUri,
          expires_in: Math.floor(joins.lifetimeMs / 1_000),
          interval: Math.ceil(joins.pollIntervalMs / 1_000),
        };
      },
    }),

    apiRoute({
      method: 'POST',
      path: '/api/v1/pairings/requests/redeem',
      operationId: 'redeemJoin',
      tag,
      summary: 'Ask what became of a request to be let in',
      description:
        'Once somebody has let the device in, it is answered like a redeemed code; it may ask again with a fresh proof for as long as a code lives, and gets a new token.',
      access: byBody,
      body: joinRedemptionDto,
      answer: { status: 201, description: 'The device, with its session.', schema: pairedDto },
      refusals: [
        ...WAITING,
        { kind: 'forbidden', code: 'pairing_refused' },
        ...PROOF_REFUSALS,
        ...ADMISSION_REFUSALS,
      ],
      async handle({ request, body }) {
        const { address, userAgent } = requestContext(request);
        return toPaired(
          await joins.redeem(body.device_code, readProof(body), { address, userAgent }),
          tunnelUrl,
        );
      },
    }),
  ];
}
