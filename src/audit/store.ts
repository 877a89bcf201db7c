import { and, desc, eq, lt, or, type SQL, sql } from 'drizzle-orm';
import { deleteExpiredRows } from '../db/delete-expired.ts';
import type { Db } from '../db/open.ts';
import { auditEvents } from '../db/schema/index.ts';
import type { Tx } from '../db/write.ts';
import type { AuditEntry, AuditRow } from './model.ts';

export interface AuditQuery {
  /** Rows that this user did or suffered; absent: everybody's. */
  userId?: string;
  /** Only rows older than this id. */
  before?: number;
  limit: number;
}

export type AuditStore = ReturnType<typeof auditStore>;

export function auditStore(db: Db) {
  return {
    insert(tx: Tx, entry: AuditEntry): void {
      tx.insert(auditEvents)
        .values({
          atMs: entry.at,
          action: entry.action,
          outcome: entry.outcome,
          actorUserId: entry.actorUserId ?? null,
          subjectUserId: entry.subjectUserId ?? null,
          sessionId: entry.sessionId ?? null,
          address: entry.address ?? null,
          userAgent: entry.userAgent ?? null,
          detail: entry.detail ?? null,
        })
        .run();
    },
    /** Many rows in one statement, which costs a fraction of as many statements. */
    insertAll(tx: Tx, entries: readonly AuditEntry[]): void {
      const columns = sql.raw(ROW_COLUMNS.map(([column]) => column).join(', '));
      const values = sql.raw(ROW_COLUMNS.map(([, at]) => `value ->> ${at}`).join(', '));
      const rows = JSON.stringify(entries.map(toValues));
      tx.run(sql`INSERT INTO ${auditEvents} (${columns}) SELECT ${values} FROM json_each(${rows})`);
    },
    /** Newest first. */
    list({ userId, before, limit }: AuditQuery): AuditRow[] {
      const conditions: (SQL | undefined)[] = [
        before === undefined ? undefined : lt(auditEvents.id, before),
        userId === undefined
          ? undefined
          : or(eq(auditEvents.actorUserId, userId), eq(auditEvents.subjectUserId, userId)),
      ];
      return db.reader
        .select()
        .from(auditEvents)
        .where(and(...conditions))
        .orderBy(desc(auditEvents.id))
        .limit(limit)
        .all();
    },
    /** Deletes what is older than `retentionMs`. */
    reapTask: (retentionMs: number) => ({
      name: 'audit_events',
      deleteExpired: (tx: Tx, now: number, limit: number) =>
        deleteExpiredRows(tx, auditEvents, auditEvents.atMs, now - retentionMs, limit),
    }),
  };
}

const ROW_COLUMNS = [
  'at_ms',
  'action',
  'outcome',
  'actor_user_id',
  'subject_user_id',
  'session_id',
  'address',
  'user_agent',
  'detail',
].map((column, at) => [column, at] as const);

function toValues(entry: AuditEntry): readonly (string | number | undefined)[] {
  const { at, action, outcome, actorUserId, subjectUserId, sessionId, address, userAgent, detail } = entry;
  const text = detail === undefined ? undefined : JSON.stringify(detail);
  return [at, action, outcome, actorUserId, subjectUserId, sessionId, address, userAgent, text];
}
