import { describe, expect, test } from 'bun:test';
import { committedChanges } from '../../../src/sessions/committed-changes.ts';
import type { SessionId } from '../../../src/sessions/model.ts';
import { type OutboxMessage, outboxStore } from '../../../src/sessions/store-outbox.ts';
import { temporaryLedger } from '../../support/ledger.ts';
import { ManualClock } from '../../support/manual-clock.ts';

/** Rows that others have committed and published, and what becomes of memory. */
async function looking() {
  const clock = new ManualClock();
  const t = temporaryLedger({ clock });
  const { session } = await t.signIn(await t.addUser());
  const rows = outboxStore(t.db);
  const done: string[] = [];
  const look = committedChanges({
    here: {
      outbox: rows,
      cache: {
        revoke: (id) => void done.push(`revoke ${id}`),
        evict: (id) => void done.push(`evict ${id}`),
        evictUser: () => void done.push('evict user'),
        clear: () => void done.push('clear'),
      },
      live: {
        has: (id) => (id as string) === 'held',
        close: (id, reason) => void done.push(`close ${id} ${reason}`),
      },
    },
    clock,
  });
  const commit = (...messages: OutboxMessage[]) =>
    t.db.write((tx) => rows.markPublished(tx, rows.insert(tx, messages, clock.now()), clock.now()));
  const named = (id: string) => ({ ...session, id: id as SessionId });
  return {
    clock,
    rows,
    t,
    userId: session.userId,
    commit,
    named,
    /** What one look does. */
    looked: () => {
      done.length = 0;
      look();
      return [...done];
    },
    [Symbol.asyncDispose]: () => t[Symbol.asyncDispose](),
  };
}

describe('what others have committed', () => {
  test('is applied to memory once, all of it', async () => {
    await using l = await looking();
    expect(l.looked()).toEqual(['clear']);
    expect(l.looked()).toEqual([]);
    await l.commit(
      { change: 'revoked', session: l.named('a') },
      { change: 'revoked', session: { ...l.named('held'), revokeReason: 'signed_out' } },
      { change: 'changed', session: l.named('b') },
      { person: l.userId },
      { everywhere: { userId: l.userId, before: 0, reason: 'everywhere' } },
    );
    expect(l.looked()).toEqual([
      'revoke a',
      'evict user',
      'revoke held',
      'evict user',
      'close held signed_out',
      'evict b',
      'evict user',
      'evict user',
    ]);
    expect(l.looked()).toEqual([]);
  });

  test('empties memory where there is too much of it, or some is deleted', async () => {
    await using l = await looking();
    l.looked();
    await l.commit(
      ...Array.from({ length: 2_001 }, () => ({ change: 'changed' as const, session: l.named('a') })),
    );
    expect(l.looked()).toEqual(['clear']);
    await l.commit({ change: 'revoked', session: l.named('a') });
    await l.t.db.write((tx) => l.rows.deleteExpired(tx, Infinity, 10_000));
    expect(l.looked()).toEqual(['clear']);
    expect(l.looked()).toEqual([]);
  });

  test('empties memory after a pause in which rows may have come and gone', async () => {
    await using l = await looking();
    l.looked();
    await l.clock.advance(30_000);
    expect(l.looked()).toEqual([]);
    await l.clock.advance(30_001);
    expect(l.looked()).toEqual(['clear']);
  });

  test('stays for a minute after it was published, and is then deleted', async () => {
    await using l = await looking();
    await l.commit({ change: 'revoked', session: l.named('a') });
    const reap = () => l.t.db.write((tx) => l.rows.deleteExpired(tx, l.clock.now(), 10));
    await l.clock.advance(59_999);
    expect(await reap()).toBe(0);
    await l.clock.advance(1);
    expect(await reap()).toBe(1);
  });
});
