import { describe, expect, test } from 'bun:test';
import { hostAudience, originAudience, scopeAudience } from '../../src/sessions/audience.ts';
import { TEST_ORIGIN, type TemporaryLedger, type TemporaryLedgerOptions } from '../support/ledger.ts';
import { ManualClock } from '../support/manual-clock.ts';

const ORIGIN = originAudience(TEST_ORIGIN);
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const FROM = { provider: undefined, providerSid: undefined, address: undefined, userAgent: undefined };

/** Some stores know what was revoked by its credential, others have let go of that. */
const OVER = { ok: false, reason: expect.stringMatching(/^(revoked|unknown)$/) } as const;

export type OpenLedgerUnderTest = (options?: TemporaryLedgerOptions) => Promise<TemporaryLedger>;

/** What the ledger promises, wherever browser sessions are kept. */
export function describeLedger(name: string, open: OpenLedgerUnderTest): void {
  describe(`${name}, a ledger`, () => {
    describe('a browser session', () => {
      test('is recognised by its cookie at the origin of url, and nowhere else', async () => {
        await using t = await open();
        const { session, token } = await t.signIn(await t.addUser('ada'));

        expect(await t.ledger.authenticate(token, 'cookie', ORIGIN)).toMatchObject({
          ok: true,
          session: { id: session.id },
          user: { username: 'ada' },
        });
        expect(await t.ledger.authenticate(token, 'cookie', hostAudience('app.home'))).toEqual({
          ok: false,
          reason: 'other_audience',
        });
        expect(await t.ledger.authenticate(token, 'personal', ORIGIN)).toMatchObject({ ok: false });
      });

      test('ends a day after its last use, and a use moves that end', async () => {
        const clock = new ManualClock();
        await using t = await open({ clock });
        const { token } = await t.signIn(await t.addUser());
        for (let use = 0; use < 3; use++) {
          await clock.advance(23 * HOUR);
          expect(await t.ledger.authenticate(token, 'cookie', ORIGIN)).toMatchObject({ ok: true });
        }
        await clock.advance(24 * HOUR);
        expect(await t.ledger.authenticate(token, 'cookie', ORIGIN)).toEqual({
          ok: false,
          reason: 'expired',
        });
      });

      test('ends at its absolute end however much it is used', async () => {
        const clock = new ManualClock();
        await using t = await open({ clock });
        const { token } = await t.signIn(await t.addUser());
        for (let use = 0; use < 29; use++) {
          await clock.advance(23 * HOUR);
          await t.ledger.authenticate(token, 'cookie', ORIGIN);
          await t.ledger.flush();
        }
        await clock.advance(30 * DAY - 29 * 23 * HOUR);
        expect(await t.ledger.authenticate(token, 'cookie', ORIGIN)).toEqual({
          ok: false,
          reason: 'expired',
        });
      });

      test('keeps its last use over a restart once touches were written', async () => {
        const clock = new ManualClock();
        await using t = await open({ clock });
        const { session, token } = await t.signIn(await t.addUser());
        await clock.advance(10 * MINUTE);
        await t.ledger.authenticate(token, 'cookie', ORIGIN);
        await t.ledger.flush();
        expect((await t.ledger.find(session.id))?.lastSeenAt).toBe(clock.now());
      });
    });

    describe('a token', () => {
      test('that nobody made is refused without a look-up, and so is every change of a real one', async () => {
        await using t = await open();
        const { token } = await t.signIn(await t.addUser());
        const lookUps = () => t.metrics.render().match(/postern_session_cache_misses_total (\d+)/)?.[1];
        for (const forged of [
          '',
          'x',
          token.slice(1),
          `${token}A`,
          token.replace('pstc_', 'pstp_'),
          flip(token),
          'A'.repeat(100_000),
        ]) {
          expect(await t.ledger.authenticate(forged, 'cookie', ORIGIN)).toEqual({
            ok: false,
            reason: 'malformed',
          });
        }
        expect(lookUps()).toBe('0');
      });
    });

    describe('ending', () => {
      test('one session ends its children and nothing else', async () => {
        await using t = await open();
        const userId = await t.addUser();
        const [parent, other] = [await t.signIn(userId), await t.signIn(userId)];
        const child = await t.db.write((tx) =>
          t.ledger.openChildSession(tx, { parentId: parent.session.id, host: 'app.home', origin: FROM }),
        );
        expect(await t.ledger.end(parent.session.id, { reason: 'signed_out' })).toBe(true);

        expect(await t.ledger.authenticate(parent.token, 'cookie', ORIGIN)).toEqual(OVER);
        expect(await t.ledger.authenticate(child.token, 'cookie', hostAudience('app.home'))).toEqual(OVER);
        expect(await t.ledger.authenticate(other.token, 'cookie', ORIGIN)).toMatchObject({ ok: true });
        expect(await t.ledger.end(parent.session.id, { reason: 'signed_out' })).toBe(false);
      });

      test('all others keeps the asking session and its children', async () => {
        await using t = await open();
        const userId = await t.addUser();
        const [mine, other] = [await t.signIn(userId), await t.signIn(userId)];
        const stranger = await t.signIn(await t.addUser());
        const child = await t.db.write((tx) =>
          t.ledger.openChildSession(tx, { parentId: mine.session.id, host: 'app.home', origin: FROM }),
        );
        expect(await t.ledger.endAll(userId, { reason: 'everywhere', except: mine.session.id })).toBe(1);

        expect((await t.ledger.list(userId)).map(({ id }) => id).sort()).toEqual(
          [mine.session.id, child.session.id].sort(),
        );
        expect(await t.ledger.authenticate(other.token, 'cookie', ORIGIN)).toMatchObject({ ok: false });
        expect(await t.ledger.authenticate(stranger.token, 'cookie', ORIGIN)).toMatchObject({ ok: true });
      });

      test('closes what hangs on the session, once', async () => {
        await using t = await open();
        const { session } = await t.signIn(await t.addUser());
        const closed: string[] = [];
        t.ledger.attach(session.id, (reason) => closed.push(reason));
        const gone = t.ledger.attach(session.id, () => closed.push('disposed'));
        gone[Symbol.dispose]();
        await t.ledger.end(session.id, { reason: 'ended_by_owner' });
        await t.ledger.end(session.id, { reason: 'ended_by_owner' });
        expect(closed).toEqual(['ended_by_owner']);
      });

      test('by time closes what hangs on the session', async () => {
        const clock = new ManualClock();
        await using t = await open({ clock });
        const { session } = await t.signIn(await t.addUser());
        const closed: string[] = [];
        t.ledger.attach(session.id, (reason) => closed.push(reason));
        await clock.advance(23 * HOUR);
        await t.ledger.closeExpired();
        expect(closed).toEqual([]);
        await clock.advance(HOUR);
        await t.ledger.closeExpired();
        expect(closed).toEqual(['expired']);
      });

      test('voids what the session had begun, in the same transaction', async () => {
        await using t = await open();
        const { session } = await t.signIn(await t.addUser());
        const voided: string[] = [];
        t.ledger.whenEnding((_tx, ids) => voided.push(...ids));
        await t.ledger.end(session.id, { reason: 'signed_out' });
        expect(voided).toEqual([session.id]);
      });
    });

    describe('issuing', () => {
      test('from a session that has ended is refused and makes nothing', async () => {
        await using t = await open();
        const userId = await t.addUser();
        const { session } = await t.signIn(userId);
        await t.ledger.end(session.id, { reason: 'signed_out' });
        const child = t.db.write((tx) =>
          t.ledger.openChildSession(tx, { parentId: session.id, host: 'app.home', origin: FROM }),
        );
        expect(child).rejects.toMatchObject({ code: 'session_ended' });
        const personal = t.db.write((tx) =>
          t.ledger.openPersonalToken(tx, {
            issuedBy: session.id,
            label: 'x',
            audience: [scopeAudience('sessions:read')],
            expiresAt: t.clock.now() + DAY,
            origin: FROM,
          }),
        );
        expect(personal).rejects.toMatchObject({ code: 'session_ended' });
        await Promise.allSettled([child, personal]);
        expect(await t.ledger.list(userId)).toEqual([]);
      });

      test('a child replaces the one that stood for the same host', async () => {
        await using t = await open();
        const parent = await t.signIn(await t.addUser());
        const begin = () =>
          t.db.write((tx) =>
            t.ledger.openChildSession(tx, { parentId: parent.session.id, host: 'app.home', origin: FROM }),
          );
        const [first, second] = [await begin(), await begin()];
        expect(await t.ledger.authenticate(first.token, 'cookie', hostAudience('app.home'))).toMatchObject({
          ok: false,
        });
        expect(await t.ledger.authenticate(second.token, 'cookie', hostAudience('app.home'))).toMatchObject({
          ok: true,
        });
      });
    });

    describe('when the store cannot take a revocation', () => {
      test('the caller hears of the outage, the session is refused at once, and the ending is made up for', async () => {
        await using t = await open();
        const userId = await t.addUser();
        const { session, token } = await t.signIn(userId);
        expect(await t.ledger.authenticate(token, 'cookie', ORIGIN)).toMatchObject({ ok: true });

        t.db.reader.$client.run('PRAGMA query_only = ON');
        const ending = t.ledger.end(session.id, { reason: 'signed_out' });
        expect(ending).rejects.toMatchObject({ kind: 'unavailable' });
        await ending.catch(() => undefined);
        expect(await t.ledger.authenticate(token, 'cookie', ORIGIN)).toEqual(OVER);
        expect(await t.ledger.list(userId)).toEqual([]);

        t.db.reader.$client.run('PRAGMA query_only = OFF');
        await t.ledger.flush();
        expect((await t.ledger.find(session.id))?.status).toBe('revoked');
      });
    });

    test('a person who changed is read again', async () => {
      await using t = await open();
      const userId = await t.addUser('ada');
      const { token } = await t.signIn(userId);
      await t.ledger.authenticate(token, 'cookie', ORIGIN);
      t.db.reader.$client.run(`UPDATE users SET display_name = 'Ada Lovelace'`);
      await t.db.write((tx) => t.ledger.userChanged(tx, userId));
      expect(await t.ledger.authenticate(token, 'cookie', ORIGIN)).toMatchObject({
        user: { displayName: 'Ada Lovelace' },
      });
    });

    test('100,000 credentials that nobody knows do not push a live session out of the cache', async () => {
      await using t = await open({ sessions: { cache_size: 100, unknown_cache_size: 50 } });
      const { token } = await t.signIn(await t.addUser());
      await t.ledger.authenticate(token, 'cookie', ORIGIN);
      const before = t.metrics.render().match(/postern_session_cache_misses_total (\d+)/)?.[1];
      for (let n = 0; n < 100_000; n++)
        await t.ledger.authenticate(`pstp_${crypto.randomUUID().repeat(2).slice(6)}`, 'personal', ORIGIN);
      expect(await t.ledger.authenticate(token, 'cookie', ORIGIN)).toMatchObject({ ok: true });
      expect(t.metrics.render().match(/postern_session_cache_misses_total (\d+)/)?.[1]).toBe(before);
    });
  });
}

/** Changes one character in the middle of the token. */
function flip(token: string): string {
  const at = 30;
  return token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1);
}
