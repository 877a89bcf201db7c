import { expect, test } from 'bun:test';
import type { AuditEntry } from '../../../src/audit/model.ts';
import { auditStore } from '../../../src/audit/store.ts';
import { createMetrics } from '../../../src/lib/metrics.ts';
import { callAudit } from '../../../src/mcp/call-audit.ts';
import { temporaryDatabase } from '../../support/database.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { recordedLog } from '../../support/silent-log.ts';

const entry = (number: number): AuditEntry => ({
  at: number,
  action: 'mcp.call',
  outcome: 'success',
  actorUserId: 'usr_a',
  detail: { backend: 'notes', ms: number },
});

function newAudit(store?: Parameters<typeof callAudit>[0]['store']) {
  const clock = new ManualClock();
  const database = temporaryDatabase(clock);
  const { db } = database;
  const metrics = createMetrics();
  const dropped = metrics.counter('postern_audit_dropped_total', 'Audit rows that were lost.');
  const rows = auditStore(db);
  const log = recordedLog();
  const audit = callAudit({ db, store: store ?? rows, clock, log, dropped });
  return { audit, rows, clock, metrics, log, [Symbol.asyncDispose]: () => database[Symbol.asyncDispose]() };
}

test('rows are written together after a second, as they were noted', async () => {
  await using things = newAudit();
  for (let number = 1; number <= 3; number++) things.audit.note(entry(number));
  await things.clock.advance(999);
  expect(things.rows.list({ limit: 10 })).toHaveLength(0);
  await things.clock.advance(1);
  const rows = things.rows.list({ limit: 10 });
  expect(rows.map(({ atMs }) => atMs)).toEqual([3, 2, 1]);
  expect(rows[0]).toMatchObject({
    action: 'mcp.call',
    outcome: 'success',
    actorUserId: 'usr_a',
    subjectUserId: null,
    sessionId: null,
    detail: { backend: 'notes', ms: 3 },
  });
});

test('what waits is written at the end', async () => {
  await using things = newAudit();
  things.audit.note(entry(1));
  await things.audit[Symbol.asyncDispose]();
  expect(things.rows.list({ limit: 10 })).toHaveLength(1);
});

test('beyond the bound rows are counted and lost, and nobody waits', async () => {
  await using things = newAudit();
  for (let number = 1; number <= 20_100; number++) things.audit.note(entry(number));
  await things.audit[Symbol.asyncDispose]();
  expect(things.metrics.render()).toContain('postern_audit_dropped_total 100');
  expect(things.rows.list({ limit: 1 })[0]?.atMs).toBe(20_000);
});

test('an outage loses what waits, is counted, and the next rows are written', async () => {
  let isOut = true;
  await using things = newAudit({
    insertAll(tx, entries) {
      if (isOut) throw new Error('the disk is full');
      things.rows.insertAll(tx, entries);
    },
  });
  things.audit.note(entry(1));
  await things.clock.advance(1_000);
  expect(things.metrics.render()).toContain('postern_audit_dropped_total 1');
  expect(things.log.lines).toHaveLength(1);
  isOut = false;
  things.audit.note(entry(2));
  await things.clock.advance(1_000);
  expect(things.rows.list({ limit: 10 }).map(({ atMs }) => atMs)).toEqual([2]);
});
