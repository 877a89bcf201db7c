import { expect, test } from 'bun:test';
import { signInAttempts } from '../../../src/db/schema/index.ts';
import type { AttemptId } from '../../../src/sign-in/model.ts';
import { attemptStore } from '../../../src/sign-in/store-attempts.ts';
import { temporaryDatabase } from '../../support/database.ts';
import { ManualClock } from '../../support/manual-clock.ts';

test('of too many attempts the oldest make room', async () => {
  const database = temporaryDatabase(new ManualClock());
  await using _open = database;
  const attempts = attemptStore(3);
  const begin = (createdAt: number) =>
    database.db.write((tx) =>
      attempts.insert(
        tx,
        {
          id: `att_${createdAt}` as AttemptId,
          provider: 'home',
          purpose: 'sign_in',
          returnTo: '/',
          invitationId: undefined,
          startedBySessionId: undefined,
          createdAt,
          expiresAt: createdAt + 1_000,
        },
        'hash',
      ),
    );
  for (const createdAt of [5, 4, 1, 2, 3]) await begin(createdAt);
  const kept = database.db.reader.select({ id: signInAttempts.id }).from(signInAttempts).all();
  expect(kept.map(({ id }) => id).toSorted()).toEqual(['att_3', 'att_4', 'att_5']);
});
