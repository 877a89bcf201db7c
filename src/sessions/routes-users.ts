import { z } from 'zod';
import { type ApiRoute, apiRoute, notFound } from '../http/api-route.ts';
import { userId } from '../users/dto.ts';
import type { UserId } from '../users/model.ts';
import type { UserStore } from '../users/store.ts';
import { devicesQuery, endedDto, sessionId, sessionListDto, toSessionList } from './dto.ts';
import type { SessionApiAccess } from './guard.ts';
import type { Ledger } from './ledger.ts';
import { by } from './routes.ts';

export interface UserSessionRoutesDeps {
  ledger: Ledger;
  access: SessionApiAccess;
  users: Pick<UserStore, 'find'>;
}

const tag = 'Users';

/** What an owner does with the sessions of anybody. */
export function userSessionRoutes({ ledger, access, users }: UserSessionRoutesDeps): ApiRoute[] {
  const requireUser = (id: UserId) => {
    if (users.find(id) === undefined) throw notFound();
  };

  return [
    apiRoute({
      method: 'GET',
      path: '/api/v1/users/{id}/sessions',
      operationId: 'listUserSessions',
      tag,
      summary: 'The live sessions of a user, newest use first',
      access: access.owner,
      params: z.strictObject({ id: userId }),
      answer: {
        status: 200,
        description: 'All of them, children and personal tokens too.',
        schema: sessionListDto,
      },
      async handle({ caller, params: { id } }) {
        requireUser(id);
        return toSessionList(await ledger.list(id), caller.session.id);
      },
    }),

    apiRoute({
      method: 'DELETE',
      path: '/api/v1/users/{id}/sessions',
      operationId: 'endUserSessions',
      tag,
      summary: 'End all sessions of a user',
      description: 'Devices stay unless asked for.',
      access: access.owner,
      params: z.strictObject({ id: userId }),
      query: z.strictObject({ devices: devicesQuery }),
      answer: { status: 200, description: 'They have ended.', schema: endedDto },
      async handle({ request, caller, params: { id }, query: { devices } }) {
        requireUser(id);
        const ended = await ledger.endAll(id, { ...by(request, caller, 'ended_by_owner'), devices });
        return { ended };
      },
    }),

    apiRoute({
      method: 'DELETE',
      path: '/api/v1/users/{id}/sessions/{session_id}',
      operationId: 'endUserSession',
      tag,
      summary: 'End one session of a user, and its children',
      access: access.owner,
      params: z.strictObject({ id: userId, session_id: sessionId }),
      answer: { status: 204, description: 'It has ended.' },
      async handle({ request, caller, params }) {
        if ((await ledger.find(params.session_id))?.userId !== params.id) throw notFound();
        const ended = await ledger.end(params.session_id, by(request, caller, 'ended_by_owner'));
        if (!ended) throw notFound();
        return undefined;
      },
    }),
  ];
}
