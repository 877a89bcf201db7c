import { z } from 'zod';
import { type ApiRoute, apiRoute, notFound } from '../http/api-route.ts';
import { requestContext } from '../http/request-context.ts';
import { sessionId } from '../sessions/dto.ts';
import type { Caller, SessionApiAccess } from '../sessions/guard.ts';
import type { ConnectedApps } from './connected-apps.ts';
import { connectedAppListDto, endedAppsDto, toConnectedAppDto } from './dto.ts';

const tag = 'Connected apps';

/** Programs that people let connect, to see and to end. */
export function connectedAppRoutes({
  apps,
  access,
}: {
  apps: ConnectedApps;
  access: SessionApiAccess;
}): ApiRoute[] {
  return [
    apiRoute({
      method: 'GET',
      path: '/api/v1/connected-apps',
      operationId: 'listConnectedApps',
      tag,
      summary: 'Programs that act for me, newest use first',
      access: access.scoped('sessions:read'),
      answer: { status: 200, description: 'All of them.', schema: connectedAppListDto },
      handle: ({ caller: { user } }) => ({ apps: apps.list(user.id).map(toConnectedAppDto) }),
    }),

    apiRoute({
      method: 'DELETE',
      path: '/api/v1/connected-apps/{id}',
      operationId: 'endConnectedApp',
      tag,
      summary: 'End one of them',
      access: access.scoped('sessions:write'),
      params: z.strictObject({ id: sessionId }),
      answer: { status: 204, description: 'It has ended, with its tokens and processes.' },
      async handle({ request, caller, params: { id } }) {
        if (!(await apps.end(id, personOf(request, caller)))) throw notFound();
        return undefined;
      },
    }),

    apiRoute({
      method: 'DELETE',
      path: '/api/v1/connected-apps',
      operationId: 'endConnectedApps',
      tag,
      summary: 'End all of them',
      access: access.scoped('sessions:write'),
      answer: { status: 200, description: 'They have ended.', schema: endedAppsDto },
      handle: async ({ request, caller }) => ({ ended: await apps.endAll(personOf(request, caller)) }),
    }),
  ];
}

function personOf(request: Request, { user }: Caller) {
  const { address, userAgent } = requestContext(request);
  return { userId: user.id, address, userAgent };
}
