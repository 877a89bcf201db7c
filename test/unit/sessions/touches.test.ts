import { describe, expect, test } from 'bun:test';
import { hostAudience, originAudience } from '../../../src/sessions/audience.ts';
import type { SessionId } from '../../../src/sessions/model.ts';
import { touches } from '../../../src/sessions/touches.ts';
import { TEST_ORIGIN, temporaryLedger } from '../../support/ledger.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const ORIGIN = originAudience(TEST_ORIGIN);
const MINUTE = 60_000;
const FROM = { provider: undefined, providerSid: undefined, address: undefined, userAgent: undefined };
const id = (n: number) => `ses_${n}` as SessionId;

describe('waiting touches', () => {
  test('are written in pieces, newest use of each, and are then gone', async () => {
    const waiting = touches();
    for (let n = 0; n < 1_200; n++) waiting.record(id(n), n);
    waiting.record(id(0), 9_999);
    const pieces: number[] = [];
    const written = new Map<SessionId, number>();
    await waiting.flush(async (piece) => {
      pieces.push(piece.size);
      for (const [session, at] of piece) written.set(session, at);
    });
    expect(pieces).toEqual([500, 500, 200]);
    expect(written.get(id(0))).toBe(9_999);
    expect(waiting.waiting).toBe(0);
  });

  test('that could not be written wait again, and a use since then wins', async () => {
    const waiting = touches();
    for (let n = 0; n < 700; n++) waiting.record(id(n), 1);
    let writes = 0;
    const flushed = waiting.flush(async () => {
      if (++writes === 1) return;
      waiting.record(id(699), 2);
      throw new Error('disk full');
    });
    const outcome = await flushed.catch((error: unknown) => error);
    expect(outcome).toEqual(new Error('disk full'));
    expect(waiting.waiting).toBe(200);
    expect(waiting.get(id(0))).toBeUndefined();
    expect(waiting.get(id(600))).toBe(1);
    expect(waiting.get(id(699))).toBe(2);
  });

  test('are known while they are being written', async () => {
    const waiting = touches();
    waiting.record(id(1), 5);
    await waiting.flush(async () => expect(waiting.get(id(1))).toBe(5));
    expect(waiting.get(id(1))).toBeUndefined();
  });
});

describe('a busy session', () => {
  test('is written every five minutes, and its last use is known to the moment', async () => {
    const clock = new ManualClock();
    await using t = temporaryLedger({ clock });
    const userId = await t.addUser();
    const { session, token } = await t.signIn(userId);
    const start = clock.now();
    for (let minute = 0; minute < 9; minute++) {
      await clock.advance(MINUTE);
      await t.ledger.authenticate(token, 'cookie', ORIGIN);
      await t.ledger.flush();
    }
    expect((await t.ledger.find(session.id))?.lastSeenAt).toBe(start + 5 * MINUTE);
    expect((await t.ledger.list(userId))[0]?.lastSeenAt).toBe(start + 9 * MINUTE);
  });

  test('on another host never outlives the session it came from', async () => {
    const clock = new ManualClock();
    await using t = temporaryLedger({ clock, sessions: { idle_timeout: 10 * MINUTE } });
    const parent = await t.signIn(await t.addUser());
    const child = await t.db.write((tx) =>
      t.ledger.openChildSession(tx, { parentId: parent.session.id, host: 'app.home', origin: FROM }),
    );
    for (let use = 0; use < 5; use++) {
      await clock.advance(2 * MINUTE + 1);
      await t.ledger.authenticate(child.token, 'cookie', hostAudience('app.home'));
    }
    await clock.advance(3_000);
    await t.ledger.authenticate(child.token, 'cookie', hostAudience('app.home'));
    await clock.advance(10 * MINUTE - 3_001);
    const [asParent, asChild] = [
      await t.ledger.authenticate(parent.token, 'cookie', ORIGIN),
      await t.ledger.authenticate(child.token, 'cookie', hostAudience('app.home')),
    ];
    expect([asParent.ok, asChild.ok]).toEqual([true, true]);
    await clock.advance(10 * MINUTE + 1);
    expect(await t.ledger.authenticate(child.token, 'cookie', hostAudience('app.home'))).toMatchObject({
      ok: false,
    });
  });
});
