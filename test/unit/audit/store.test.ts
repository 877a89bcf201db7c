import { expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { auditStore } from '../../../src/audit/store.ts';
import { newId } from '../../../src/lib/random.ts';
import type { UserId } from '../../../src/users/model.ts';
import { temporaryDatabase } from '../../support/database.ts';
import { ManualClock } from '../../support/manual-clock.ts';

test('what a person did, and what was done to them, is found without reading the rest', async () => {
  await using database = temporaryDatabase(new ManualClock());
  const { db } = database;
  const store = auditStore(db);
  const [one, other] = [newId('usr') as UserId, newId('usr') as UserId];
  const entry = { at: 1, action: 'sign_in', outcome: 'success' } as const;
  await db.write((tx) => {
    store.insertAll(tx, [
      { ...entry, actorUserId: one },
      { ...entry, actorUserId: other, subjectUserId: one },
      { ...entry, actorUserId: other },
      entry,
    ]);
  });
  expect(store.list({ userId: one, limit: 10 }).map(({ id }) => id)).toEqual([2, 1]);

  const plan = db.reader.all<{ detail: string }>(sql`EXPLAIN QUERY PLAN SELECT * FROM audit_events
    WHERE actor_user_id = ${one} OR subject_user_id = ${one} ORDER BY id DESC LIMIT 10`);
  const steps = plan.map(({ detail }) => detail).join('\n');
  expect(steps).toContain('audit_events_actor');
  expect(steps).toContain('audit_events_subject');
});
