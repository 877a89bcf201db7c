import { describe, expect, test } from 'bun:test';
import { inProcessSessionEvents } from '../../../src/sessions/events.ts';
import type { SessionId, SessionSnapshot } from '../../../src/sessions/model.ts';
import { outbox } from '../../../src/sessions/outbox.ts';
import { outboxStore } from '../../../src/sessions/store-outbox.ts';
import { touches } from '../../../src/sessions/touches.ts';
import { type TemporaryLedger, temporaryLedger } from '../../support/ledger.ts';
import { copySession } from '../../support/many-sessions.ts';
import { recordedLog } from '../../support/silent-log.ts';

/** Another life of the outbox over the same database, and what it tells. */
function nextLife({ db }: TemporaryLedger) {
  const told: SessionSnapshot[] = [];
  const events = inProcessSessionEvents(recordedLog(), { inc: () => undefined });
  events.subscribe((snapshots) => told.push(...snapshots));
  return { box: outbox(outboxStore(db), events), told };
}

const rowsIn = ({ db }: TemporaryLedger) => outboxStore(db).after(0, 100_000).length;

describe('the outbox', () => {
  test('tells after the commit, and not at all of what was rolled back', async () => {
    await using t = temporaryLedger();
    const { session } = await t.signIn(await t.addUser());
    const { box, told } = nextLife(t);
    const snapshot: SessionSnapshot = { change: 'revoked', session };
    await t.db
      .write((tx) => {
        box.send(tx, [snapshot], 0);
        throw new Error('no');
      })
      .catch(() => undefined);
    expect([told, rowsIn(t), box.isUnsettled]).toEqual([[], 0, false]);
    await t.db.write((tx) => {
      box.send(tx, [snapshot], 0);
      expect(told).toEqual([]);
    });
    expect(told).toEqual([snapshot]);
    await t.db.write((tx) => box.settle(tx));
    expect([rowsIn(t), box.isUnsettled]).toEqual([0, false]);
  });

  test('of an earlier life that died before it told is told at the next start, once, and all of it', async () => {
    await using t = temporaryLedger();
    const { session } = await t.signIn(await t.addUser());
    const snapshots = Array.from(
      { length: 1_234 },
      (_, index): SessionSnapshot => ({
        change: 'revoked',
        session: { ...session, id: `ses_${index}` as SessionId },
      }),
    );
    // Committed, and told to nobody.
    await t.db.write((tx) => outboxStore(t.db).insert(tx, snapshots, 0));
    const { box, told } = nextLife(t);
    box.publishLeftOvers();
    box.publishLeftOvers();
    expect(told.map((each) => each.session.id)).toEqual(snapshots.map((each) => each.session.id));
    while (box.isUnsettled) await t.db.write((tx) => box.settle(tx));
    expect(rowsIn(t)).toBe(0);
  });
});

test('everything of somebody with very many sessions ends in one act', async () => {
  await using t = temporaryLedger();
  const { session } = await t.signIn(await t.addUser());
  const voided: SessionId[] = [];
  t.ledger.whenEnding((_tx, ended) => {
    expect(ended.length).toBeLessThanOrEqual(1_000);
    voided.push(...ended);
  });
  const many = 17_000;
  copySession(t.db, session.id, many - 1);
  expect(await t.ledger.endAll(session.userId, { reason: 'everywhere' })).toBe(many);
  expect(await t.ledger.list(session.userId)).toEqual([]);
  expect(new Set(voided).size).toBe(many);
  await t.ledger.flush();
});

describe('touches', () => {
  const [one, other] = ['ses_1' as SessionId, 'ses_2' as SessionId];

  test('are known until they are written, also while two rounds overlap', async () => {
    const seen = touches();
    const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    seen.record(one, 10);
    const firstRound = seen.flush(() => first.promise);
    seen.record(other, 20);
    const secondRound = seen.flush(() => second.promise);
    expect([seen.get(one), seen.get(other)]).toEqual([10, 20]);
    second.resolve();
    await secondRound;
    expect([seen.get(one), seen.get(other)]).toEqual([10, undefined]);
    first.reject(new Error('full'));
    await firstRound.catch(() => undefined);
    expect([seen.get(one), seen.waiting]).toEqual([10, 1]);
  });

  test('never go back, neither by a late record nor by a round that failed', async () => {
    const seen = touches();
    seen.record(one, 30);
    seen.record(one, 20);
    expect(seen.get(one)).toBe(30);
    const round = Promise.withResolvers<void>();
    const flushed = seen.flush(() => round.promise);
    seen.record(one, 40);
    round.reject(new Error('full'));
    await flushed.catch(() => undefined);
    expect(seen.get(one)).toBe(40);
    expect(seen.get(one)).toBe(40);
  });
});
