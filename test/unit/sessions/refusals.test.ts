import { describe, expect, test } from 'bun:test';
import { originAudience } from '../../../src/sessions/audience.ts';
import type { SessionId } from '../../../src/sessions/model.ts';
import { refusals } from '../../../src/sessions/refusals.ts';
import type { UserId } from '../../../src/users/model.ts';
import { TEST_ORIGIN, temporaryLedger } from '../../support/ledger.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const ORIGIN = originAudience(TEST_ORIGIN);
const ADA = 'usr_ada' as UserId;

const sessionOf = (id: string, createdAt: number, parentId?: string) => ({
  id: id as SessionId,
  kind: 'user' as const,
  userId: ADA,
  parentId: parentId as SessionId | undefined,
  createdAt,
});

describe('what the store could not take', () => {
  test('ends what had begun by then, but for what is spared', () => {
    const refused = refusals();
    refused.add({ target: { user: ADA, except: 'ses_kept' as SessionId }, ids: [], at: 100 });
    const answers = [
      sessionOf('ses_old', 100),
      sessionOf('ses_new', 101),
      sessionOf('ses_kept', 50),
      sessionOf('ses_child', 60, 'ses_kept'),
    ].map((session) => refused.refuses(session));
    expect(answers).toEqual([true, false, false, false]);
  });

  test('is kept once, however often it is asked for', () => {
    const refused = refusals();
    for (const at of [1, 2, 3]) refused.add({ target: { user: ADA }, ids: ['ses_1' as SessionId], at });
    expect(refused.pending()).toHaveLength(1);
    expect(refused.pending()).toMatchObject([{ at: 3 }]);
  });

  test('and was asked for again while it was written, stays', () => {
    const refused = refusals();
    const [first, later] = [sessionOf('ses_first', 10), sessionOf('ses_later', 20)];
    refused.add({ target: { user: ADA }, ids: [first.id], at: 15 });
    const written = refused.pending();
    refused.add({ target: { user: ADA, except: first.id }, ids: [later.id], at: 25 });
    refused.settle(written);
    expect([first, later].map((session) => refused.refuses(session))).toEqual([false, true]);
    refused.settle(refused.pending());
    expect(refused.refuses(later)).toBe(false);
    expect(refused.pending()).toEqual([]);
  });
});

test('an end that is made up for spares who signed in since', async () => {
  const clock = new ManualClock();
  await using t = temporaryLedger({ clock });
  const user = await t.addUser();
  const before = await t.signIn(user);
  const full = new Error('full');
  t.db.reader.$client.run('PRAGMA query_only = ON');
  await t.ledger.endAll(user, { reason: 'everywhere' }).catch((error: unknown) => (full.cause = error));
  t.db.reader.$client.run('PRAGMA query_only = OFF');
  expect(full.cause).toMatchObject({ kind: 'unavailable' });
  expect(await t.ledger.authenticate(before.token, 'cookie', ORIGIN)).toMatchObject({ ok: false });

  await clock.advance(1_000);
  const since = await t.signIn(user);
  await clock.advance(1_000);
  await t.ledger.flush();
  expect(await t.ledger.authenticate(since.token, 'cookie', ORIGIN)).toMatchObject({ ok: true });
  expect(await t.ledger.find(before.session.id)).toMatchObject({ status: 'revoked' });
  expect(await t.ledger.find(since.session.id)).toMatchObject({ status: 'active' });
});

test('an end that could not be made up for before the process ended is told', async () => {
  const t = temporaryLedger();
  const { session } = await t.signIn(await t.addUser());
  t.db.reader.$client.run('PRAGMA query_only = ON');
  await t.ledger.end(session.id, { reason: 'signed_out' }).catch(() => undefined);
  await t[Symbol.asyncDispose]();
  expect(t.log.lines.find(({ level }) => level === 'error')).toMatchObject({
    fields: { sessions: [session.id] },
  });
});
