import { describe, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { originAudience, scopeAudience } from '../../../src/sessions/audience.ts';
import { reapExpired } from '../../../src/sessions/reaper.ts';
import { TEST_ORIGIN, type TemporaryLedger, temporaryLedger } from '../../support/ledger.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const ORIGIN = originAudience(TEST_ORIGIN);
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

const reap = ({ db, clock, ledger }: TemporaryLedger) =>
  reapExpired({ db, clock, tasks: [ledger.reapTask], flush: () => ledger.flush() });

const counted = (deleted: number) => ({ suspended: false as const, deleted: { sessions: deleted } });

describe('the reaper of sessions', () => {
  test('takes what ran out idle and leaves what was used, written or not', async () => {
    const clock = new ManualClock();
    await using t = temporaryLedger({ clock });
    const userId = await t.addUser();
    const [unused, written, inMemory] = [
      await t.signIn(userId),
      await t.signIn(userId),
      await t.signIn(userId),
    ];
    await clock.advance(20 * HOUR);
    await t.ledger.authenticate(written.token, 'cookie', ORIGIN);
    await t.ledger.flush();
    await clock.advance(3 * HOUR);
    await t.ledger.authenticate(inMemory.token, 'cookie', ORIGIN);
    await clock.advance(HOUR);

    expect(await reap(t)).toEqual(counted(1));
    expect(await t.ledger.find(unused.session.id)).toBeUndefined();
    expect(await t.ledger.find(written.session.id)).toBeDefined();
    await clock.advance(20 * HOUR);
    expect(await reap(t)).toEqual(counted(1));
    expect(await t.ledger.find(inMemory.session.id)).toBeDefined();
    await clock.advance(4 * HOUR);
    expect(await reap(t)).toEqual(counted(1));
  });

  test('keeps a revoked session until its absolute end', async () => {
    const clock = new ManualClock();
    await using t = temporaryLedger({ clock });
    const { session } = await t.signIn(await t.addUser());
    await t.ledger.end(session.id, { reason: 'signed_out' });
    await clock.advance(29 * DAY);
    expect(await reap(t)).toEqual(counted(0));
    await clock.advance(DAY);
    expect(await reap(t)).toEqual(counted(1));
  });

  test('takes a personal token at its end, however often it was used', async () => {
    const clock = new ManualClock();
    await using t = temporaryLedger({ clock });
    const { session } = await t.signIn(await t.addUser());
    const token = await t.db.write((tx) =>
      t.ledger.openPersonalToken(tx, {
        issuedBy: session.id,
        label: 'backup',
        audience: [scopeAudience('sessions:read')],
        expiresAt: clock.now() + 2 * HOUR,
        origin: session.origin,
      }),
    );
    await clock.advance(2 * HOUR - 1);
    expect(await reap(t)).toEqual(counted(0));
    await clock.advance(1);
    expect(await reap(t)).toEqual(counted(1));
    expect(await t.ledger.find(token.session.id)).toBeUndefined();
    expect(await t.ledger.find(session.id)).toBeDefined();
  });

  test('goes through more than one batch', async () => {
    const clock = new ManualClock();
    await using t = temporaryLedger({ clock });
    const userId = await t.addUser();
    await Promise.all(Array.from({ length: 450 }, () => t.signIn(userId)));
    await clock.advance(DAY);
    expect(await reap(t)).toEqual(counted(450));
  });

  test('finds its rows by an index that no use moves', async () => {
    await using t = temporaryLedger();
    const plan = t.db.reader
      .all<{ detail: string }>(
        sql`EXPLAIN QUERY PLAN SELECT id FROM sessions WHERE reap_at_ms <= ${0} LIMIT 10`,
      )
      .map(({ detail }) => detail);
    expect(plan.join()).toContain('sessions_reap');
  });
});
