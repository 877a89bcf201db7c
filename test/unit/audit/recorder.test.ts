import { Database } from 'bun:sqlite';
import { expect, test } from 'bun:test';
import { auditRecorder } from '../../../src/audit/recorder.ts';
import { auditStore } from '../../../src/audit/store.ts';
import { auditBudget } from '../../../src/http/audit-budget.ts';
import { createMetrics } from '../../../src/lib/metrics.ts';
import { temporaryDatabase } from '../../support/database.ts';
import { ManualClock, settle } from '../../support/manual-clock.ts';
import { recordedLog } from '../../support/silent-log.ts';

const HOUR_MS = 3_600_000;

function open() {
  const clock = new ManualClock();
  const { db, ...database } = temporaryDatabase(clock);
  const store = auditStore(db);
  const metrics = createMetrics();
  const dropped = metrics.counter('dropped', 'Lost.');
  const audit = auditRecorder({ db, store, log: recordedLog(), dropped, mayNote: auditBudget(clock) });
  const refuse = async (address: string, times: number) => {
    for (let each = 0; each < times; each++) {
      audit.note({ at: clock.now(), action: 'sign_in', outcome: 'refused', address });
      if (each % 100 === 0) await settle();
    }
    await settle();
  };
  const kept = (address?: string) =>
    store.list({ limit: 100_000 }).filter((row) => address === undefined || row.address === address).length;
  return { clock, refuse, kept, metrics, [Symbol.asyncDispose]: () => database[Symbol.asyncDispose]() };
}

test('the refusals of one address are kept up to a bound, and those of others all the same', async () => {
  await using recorder = open();
  await recorder.refuse('2001:db8::1', 400);
  await recorder.refuse('2001:db8::2', 10);
  await recorder.refuse('192.0.2.1', 10);
  expect([recorder.kept('2001:db8::1'), recorder.kept('2001:db8::2'), recorder.kept('192.0.2.1')]).toEqual([
    300, 0, 10,
  ]);
  expect(recorder.metrics.render()).toContain('dropped 110');
  await recorder.clock.advance(HOUR_MS);
  await recorder.refuse('2001:db8::1', 1);
  expect(recorder.kept('2001:db8::1')).toBe(301);
});

test('strangers with many addresses do not fill the disk', async () => {
  await using recorder = open();
  for (let each = 0; each < 40; each++) await recorder.refuse(`198.51.100.${each}`, 100);
  expect(recorder.kept()).toBe(3_000);
});

test('a flood while the database is stuck is bounded, and what was lost is counted', async () => {
  const clock = new ManualClock();
  await using database = temporaryDatabase(clock);
  const metrics = createMetrics();
  const dropped = metrics.counter('dropped', 'Lost.');
  const store = auditStore(database.db);
  const log = recordedLog();
  const audit = auditRecorder({ db: database.db, store, log, dropped });
  const refuse = async (times: number) => {
    for (let each = 0; each < times; each++) {
      audit.note({ at: clock.now(), action: 'sign_in', outcome: 'refused' });
      if (each % 250 === 0) await settle();
    }
  };
  using other = new Database(database.path);
  other.run('BEGIN IMMEDIATE');
  await refuse(3_000);
  expect(metrics.render()).toContain('dropped 2000');
  await clock.advance(6_000);
  expect(metrics.render()).toContain('dropped 3000');
  await refuse(500);
  await clock.advance(6_000);
  expect(metrics.render()).toContain('dropped 3500');
  expect(log.lines).toMatchObject([{ level: 'error', fields: { rows: 1_000 } }]);
  other.run('COMMIT');
  await refuse(250);
  await audit[Symbol.asyncDispose]();
  expect(log.lines.slice(1)).toMatchObject([{ level: 'warn', fields: { rows_lost: 1_500 } }]);
  expect(store.list({ limit: 1_000 })).toHaveLength(250);
});
