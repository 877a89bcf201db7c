import { z } from 'zod';
import { instantText } from '../lib/instant.ts';
import type { AuditRow } from './model.ts';

const MAX_PAGE = 200;
const DEFAULT_PAGE = 50;

/** A whole number above zero in a query. */
const wholeNumber = (max: number) =>
  z
    .string()
    .regex(/^[1-9][0-9]{0,15}$/, { error: 'a whole number above zero' })
    .transform(Number)
    .pipe(z.int().max(max, { error: `at most ${max}` }))
    .meta({ type: 'integer', minimum: 1, maximum: max, pattern: undefined });

export const auditQuery = z.strictObject({
  before: wholeNumber(Number.MAX_SAFE_INTEGER)
    .optional()
    .describe('only rows older than this id: `next_before` of the page before'),
  limit: wholeNumber(MAX_PAGE).default(DEFAULT_PAGE).describe(`rows on a page, ${DEFAULT_PAGE} unless told`),
  user: z
    .string()
    .regex(/^usr_[a-z2-7]{26}$/, { error: 'the id of a user' })
    .optional()
    .describe('only rows of this user; owners only, everybody else gets their own'),
});

export const auditEventDto = z
  .strictObject({
    id: z.int(),
    at: z.iso.datetime(),
    action: z.string(),
    outcome: z.enum(['success', 'refused']),
    actor_user_id: z
      .string()
      .nullable()
      .describe('who did it; absent for strangers and for the appliance itself'),
    subject_user_id: z.string().nullable().describe('whom it concerns, where that is somebody else'),
    session_id: z.string().nullable(),
    address: z.string().nullable(),
    user_agent: z.string().nullable(),
    detail: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  })
  .meta({ id: 'AuditEvent' });

export const auditPageDto = z
  .strictObject({
    events: z.array(auditEventDto).describe('newest first'),
    next_before: z.int().nullable().describe('`before` of the next page; null on the last'),
  })
  .meta({ id: 'AuditPage' });

export interface AuditViewer {
  readonly id: string;
  readonly role: 'owner' | 'member';
}

/** A row as the viewer may see it: where somebody else sits is for owners alone. */
export function toAuditEvent(row: AuditRow, viewer: AuditViewer): z.input<typeof auditEventDto> {
  const seesOrigin = viewer.role === 'owner' || row.actorUserId === null || row.actorUserId === viewer.id;
  return {
    id: row.id,
    at: instantText(row.atMs),
    action: row.action,
    outcome: row.outcome,
    actor_user_id: row.actorUserId,
    subject_user_id: row.subjectUserId,
    session_id: row.sessionId,
    address: seesOrigin ? row.address : null,
    user_agent: seesOrigin ? row.userAgent : null,
    detail: row.detail ?? {},
  };
}
