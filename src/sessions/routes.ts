import { z } from 'zod';
import { type ApiRoute, apiRoute, notFound } from '../http/api-route.ts';
import { clearCookie, cookieName } from '../http/cookies.ts';
import type { PublicOrigin } from '../http/origin.ts';
import { requestContext } from '../http/request-context.ts';
import { AppError } from '../lib/app-error.ts';
import {
  devicesQuery,
  endedDto,
  sessionId,
  sessionListDto,
  toSessionList,
  toWhoAmI,
  whoAmIDto,
} from './dto.ts';
import type { Caller, SessionApiAccess } from './guard.ts';
import type { Ledger } from './ledger.ts';
import type { RevokeReason } from './model.ts';

export interface SessionRoutesDeps {
  ledger: Ledger;
  access: SessionApiAccess;
  /** The origin of `url`. */
  origin: PublicOrigin;
}

const tag = 'Sessions';

/** What people do with their own sessions. */
export function sessionRoutes({ ledger, access, origin }: SessionRoutesDeps): ApiRoute[] {
  const signOutHere = () => signedOut(origin);

  return [
    apiRoute({
      method: 'GET',
      path: '/api/v1/session',
      operationId: 'getSession',
      tag,
      summary: 'Who am I, and through which session',
      access: access.scoped('sessions:read'),
      answer: { status: 200, description: 'The person and the session that asks.', schema: whoAmIDto },
      async handle({ caller: { user, session } }) {
        const withLastUse = (await ledger.list(user.id)).find(({ id }) => id === session.id);
        // It may have ended since it was recognised.
        if (withLastUse === undefined)
          throw new AppError('unauthorized', 'session_ended', 'The session that asks has ended.');
        return toWhoAmI(user, withLastUse);
      },
    }),

    apiRoute({
      method: 'DELETE',
      path: '/api/v1/session',
      operationId: 'signOut',
      tag,
      summary: 'End the session that asks, and its children',
      description: 'Signing out at the provider too is what the page `/sign-out` does.',
      access: access.scoped('sessions:write'),
      answer: { status: 204, description: 'It has ended.' },
      async handle({ request, caller }) {
        await ledger.end(caller.session.id, by(request, caller, 'signed_out'));
        return isBrowser(caller) ? new Response(null, { status: 204, headers: signOutHere() }) : undefined;
      },
    }),

    apiRoute({
      method: 'GET',
      path: '/api/v1/sessions',
      operationId: 'listSessions',
      tag,
      summary: 'My live sessions, newest use first',
      access: access.scoped('sessions:read'),
      answer: {
        status: 200,
        description: 'All of them, children and personal tokens too.',
        schema: sessionListDto,
      },
      handle: async ({ caller: { user, session } }) => toSessionList(await ledger.list(user.id), session.id),
    }),

    apiRoute({
      method: 'DELETE',
      path: '/api/v1/sessions',
      operationId: 'endSessions',
      tag,
      summary: 'End my sessions everywhere, or all but this one',
      description:
        '`keep=current` leaves the session that asks and its children. Devices stay unless asked for.',
      access: access.scoped('sessions:write'),
      query: z.strictObject({
        keep: z.literal('current', { error: '"current"' }).optional().describe('`current`: all others'),
        devices: devicesQuery,
      }),
      answer: { status: 200, description: 'They have ended.', schema: endedDto },
      async handle({ request, caller, query: { keep, devices } }) {
        const except = keep === 'current' ? caller.session.id : undefined;
        const context = by(request, caller, 'everywhere');
        const ended = await ledger.endAll(caller.user.id, { ...context, except, devices });
        if (keep === 'current' || !isBrowser(caller)) return { ended };
        return Response.json({ ended } satisfies z.input<typeof endedDto>, { headers: signOutHere() });
      },
    }),

    apiRoute({
      method: 'DELETE',
      path: '/api/v1/sessions/{id}',
      operationId: 'endSession',
      tag,
      summary: 'End one of my sessions, and its children',
      access: access.scoped('sessions:write'),
      params: z.strictObject({ id: sessionId }),
      answer: { status: 204, description: 'It has ended.' },
      async handle({ request, caller, params: { id } }) {
        if ((await ledger.find(id))?.userId !== caller.user.id) throw notFound();
        if (!(await ledger.end(id, by(request, caller, 'ended_by_user')))) throw notFound();
        if (id !== caller.session.id || !isBrowser(caller)) return undefined;
        return new Response(null, { status: 204, headers: signOutHere() });
      },
    }),
  ];
}

/** Who ends something, for the audit row. */
export function by(request: Request, { user }: Caller, reason: RevokeReason) {
  return { reason, actorUserId: user.id, address: requestContext(request).address };
}

const isBrowser = ({ session }: Caller) => session.kind === 'user';

/** What a browser is told to forget; `"cookies"` would reach every host of the domain. */
function signedOut(origin: PublicOrigin): Headers {
  const headers = new Headers({ 'cache-control': 'no-store', 'clear-site-data': '"storage"' });
  headers.append('set-cookie', clearCookie(origin, cookieName(origin)));
  return headers;
}
