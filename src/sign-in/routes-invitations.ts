import { z } from 'zod';
import { type ApiRoute, apiRoute } from '../http/api-route.ts';
import { requestContext } from '../http/request-context.ts';
import type { Caller, SessionApiAccess } from '../sessions/guard.ts';
import {
  createdInvitationDto,
  invitationId,
  invitationListDto,
  newInvitationDto,
  toCreatedInvitation,
  toInvitationList,
} from './dto-invitations.ts';
import type { Invitations, Inviter } from './invitations.ts';

export interface InvitationRoutesDeps {
  invitations: Pick<Invitations, 'invite' | 'list' | 'void'>;
  access: SessionApiAccess;
}

const tag = 'Invitations';

/** How an owner lets somebody in. */
export function invitationRoutes({ invitations, access }: InvitationRoutesDeps): ApiRoute[] {
  return [
    apiRoute({
      method: 'GET',
      path: '/api/v1/invitations',
      operationId: 'listInvitations',
      tag,
      summary: 'Invitations that somebody could still use',
      access: access.owner,
      answer: { status: 200, description: 'All of them, without their links.', schema: invitationListDto },
      handle: async () => toInvitationList(await invitations.list()),
    }),

    apiRoute({
      method: 'POST',
      path: '/api/v1/invitations',
      operationId: 'createInvitation',
      tag,
      summary: 'Invite one person',
      access: access.owner,
      body: newInvitationDto,
      answer: { status: 201, description: 'The link, this once.', schema: createdInvitationDto },
      refusals: [{ kind: 'unauthorized', code: 'session_ended' }],
      async handle({ request, caller, body: { role } }) {
        return toCreatedInvitation(await invitations.invite(role, inviter(request, caller)));
      },
    }),

    apiRoute({
      method: 'DELETE',
      path: '/api/v1/invitations/{id}',
      operationId: 'voidInvitation',
      tag,
      summary: 'Void an invitation that nobody has used',
      access: access.owner,
      params: z.strictObject({ id: invitationId }),
      answer: { status: 204, description: 'Its link is void.' },
      refusals: [{ kind: 'not_found', code: 'unknown_invitation' }],
      async handle({ request, caller, params: { id } }) {
        await invitations.void(id, inviter(request, caller));
        return undefined;
      },
    }),
  ];
}

function inviter(request: Request, { user, session }: Caller): Inviter {
  const { address, userAgent } = requestContext(request);
  return { userId: user.id, sessionId: session.id, address, userAgent };
}
