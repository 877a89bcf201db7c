import { expect, test } from 'bun:test';
import { AppError } from '../../../src/lib/app-error.ts';
import { liveCheck } from '../../../src/sessions/live-check.ts';
import { liveThings } from '../../../src/sessions/live-things.ts';
import type { Session, SessionId } from '../../../src/sessions/model.ts';
import { temporaryLedger } from '../../support/ledger.ts';

/** Things of these sessions, each opened with the key `k`, and what closed them. */
function holding(...names: readonly string[]) {
  const live = liveThings(() => undefined);
  const closed: string[] = [];
  for (const name of names) live.attach(name as SessionId, (reason) => closed.push(`${name} ${reason}`), 'k');
  return { live, closed };
}

test('what is over closes, also where another session cannot be read, and that is told at the end', async () => {
  await using t = temporaryLedger();
  const { session } = await t.signIn(await t.addUser());
  const { live, closed } = holding('unreadable', 'gone', 'revoked', 'expired', 'other-key', 'alive');
  const kept: Readonly<Record<string, Partial<Session>>> = {
    revoked: { revokeReason: 'signed_out', status: 'revoked' },
    expired: { expiresAt: 0 },
    'other-key': { clientPublicKey: 'another' },
    alive: { clientPublicKey: 'k' },
  };
  const check = liveCheck({
    store: {
      async find(id) {
        if ((id as string) === 'unreadable') throw new AppError('unavailable', 'store_unavailable', 'Away.');
        const changes = kept[id];
        return changes && { ...session, ...changes };
      },
    },
    live,
    isLiveHere: ({ status, expiresAt }) => status === 'active' && expiresAt !== 0,
    clock: t.clock,
  });
  expect(await check().catch((error: unknown) => error)).toMatchObject({ code: 'store_unavailable' });
  expect(closed.toSorted()).toEqual([
    'expired expired',
    'gone expired',
    'other-key replaced',
    'revoked signed_out',
  ]);
  expect(live.ids().map(String)).toEqual(['unreadable', 'alive']);
});
