import { type ApiAccess, type ApiRoute, apiRoute } from '../http/api-route.ts';
import { AppError } from '../lib/app-error.ts';
import { type AuditViewer, auditPageDto, auditQuery, toAuditEvent } from './dto.ts';
import type { AuditStore } from './store.ts';

export interface AuditRoutesDeps {
  store: AuditStore;
  /** A browser session, or a personal token with `audit:read`. */
  access: ApiAccess<{ readonly user: AuditViewer }>;
}

/** What happened: to oneself, or for an owner to everybody. */
export function auditRoutes({ store, access }: AuditRoutesDeps): ApiRoute[] {
  return [
    apiRoute({
      method: 'GET',
      path: '/api/v1/audit',
      operationId: 'listAudit',
      tag: 'Audit',
      summary: 'What was done by me or to me; for an owner, by and to everybody',
      access,
      query: auditQuery,
      answer: { status: 200, description: 'One page, newest first.', schema: auditPageDto },
      refusals: [{ kind: 'forbidden', code: 'owner_required' }],
      handle({ caller: { user: viewer }, query: { before, limit, user } }) {
        const userId = whose(viewer, user);
        // One row more than the page tells whether there is another.
        const rows = store.list({
          limit: limit + 1,
          ...(userId !== undefined && { userId }),
          ...(before !== undefined && { before }),
        });
        const page = rows.slice(0, limit);
        return {
          events: page.map((row) => toAuditEvent(row, viewer)),
          next_before: rows.length > limit ? (page.at(-1)?.id ?? null) : null,
        };
      },
    }),
  ];
}

/** Whose rows: an owner's choice, where absent everybody's; anybody else's own. */
function whose(viewer: AuditViewer, asked: string | undefined): string | undefined {
  if (viewer.role === 'owner') return asked;
  if (asked === undefined || asked === viewer.id) return viewer.id;
  throw new AppError('forbidden', 'owner_required', 'Only an owner may see what others did.');
}
