import { describe, expect, test } from 'bun:test';
import { AppError } from '../../../src/lib/app-error.ts';
import {
  DEVICE_AUDIENCE,
  guestLinkOf,
  hostAudience,
  originAudience,
  resourceAudience,
} from '../../../src/sessions/audience.ts';
import type { SessionId } from '../../../src/sessions/model.ts';
import type { UserId } from '../../../src/users/model.ts';
import { heldReader } from '../../support/held-reader.ts';
import { TEST_ORIGIN, type TemporaryLedger, temporaryLedger } from '../../support/ledger.ts';
import { ManualClock, settle } from '../../support/manual-clock.ts';
import { refusalOf } from '../../support/refusal.ts';

const FROM = { provider: undefined, providerSid: undefined, address: '192.0.2.7', userAgent: 'agent' };
const KEY = 'A'.repeat(43);
const OTHER_KEY = 'B'.repeat(43);
const HOUR = 3_600_000;
const HOST = 'web--pi.devices.example.test';

const openDevice = (t: TemporaryLedger, userId: UserId, issuedBy?: SessionId) =>
  t.db.write((tx) =>
    t.ledger.openDevice(tx, {
      userId,
      issuedBy,
      deviceId: 'dev_1',
      clientPublicKey: KEY,
      label: 'Pi',
      origin: FROM,
    }),
  );

const openGuest = (t: TemporaryLedger, parentId: SessionId, expiresAt: number) =>
  t.db.write((tx) =>
    t.ledger.openGuestSession(tx, { parentId, linkId: 'gst_1', host: HOST, expiresAt, origin: FROM }),
  );

describe('a device', () => {
  test('is recognised by its token at its audience alone, and by its id', async () => {
    await using t = temporaryLedger();
    const userId = await t.addUser('ada');
    const { session, token } = await openDevice(t, userId);
    expect(await t.ledger.authenticate(token, 'device', DEVICE_AUDIENCE)).toMatchObject({
      ok: true,
      session: { id: session.id, kind: 'device', userId },
    });
    for (const audience of [
      originAudience(TEST_ORIGIN),
      hostAudience('auth.example.test'),
      resourceAudience('https://other.test'),
    ]) {
      expect(await t.ledger.authenticate(token, 'device', audience)).toEqual({
        ok: false,
        reason: 'other_audience',
      });
    }
    expect(await t.ledger.recogniseDevice(session.id)).toMatchObject({
      ok: true,
      session: { id: session.id },
      user: { username: 'ada' },
      deviceId: 'dev_1',
      publicKey: KEY,
    });
  });

  test('is recognised from memory after the first time', async () => {
    await using t = temporaryLedger();
    const { session } = await openDevice(t, await t.addUser());
    const first = t.ledger.recogniseDevice(session.id);
    expect(first).not.toBeInstanceOf(Promise);
    t.db.reader.$client.run("UPDATE sessions SET client_public_key = 'changed elsewhere'");
    expect(t.ledger.recogniseDevice(session.id)).toMatchObject({ ok: true, publicKey: KEY });
  });

  test.each([
    '',
    'ses_',
    'dev_1',
    `ses_${'a'.repeat(27)}`,
    `ses_${'A'.repeat(26)}`,
    `ses_${'a'.repeat(26)}\n`,
  ])('has no id like "%s"', async (id) => {
    await using t = temporaryLedger();
    expect(await t.ledger.recogniseDevice(id as SessionId)).toEqual({ ok: false, reason: 'malformed' });
  });

  test('is nobody by the id of another kind of session, or of none', async () => {
    await using t = temporaryLedger();
    const browser = await t.signIn(await t.addUser());
    const unknown = { ok: false, reason: 'unknown' };
    for (const id of [browser.session.id, `ses_${'a'.repeat(26)}` as SessionId]) {
      expect(await t.ledger.recogniseDevice(id)).toEqual(unknown as never);
      expect(await t.ledger.recogniseDevice(id)).toEqual(unknown as never);
    }
  });

  test('that is ended is refused at once by token and key, whether or not either was in memory', async () => {
    await using t = temporaryLedger();
    const userId = await t.addUser();
    for (const isKnown of [true, false]) {
      const { session, token } = await openDevice(t, userId);
      if (isKnown) await t.ledger.recogniseDevice(session.id);
      const closed: string[] = [];
      t.ledger.attach(session.id, (reason) => closed.push(reason));
      expect(await t.ledger.end(session.id, { reason: 'unpaired' })).toBe(true);
      expect(closed).toEqual(['unpaired']);
      const revoked = { ok: false, reason: 'revoked' };
      expect(await t.ledger.recogniseDevice(session.id)).toEqual(revoked as never);
      expect(await t.ledger.authenticate(token, 'device', DEVICE_AUDIENCE)).toEqual(revoked as never);
    }
  });

  test('is refused at once also where the end could not be written', async () => {
    await using t = temporaryLedger();
    const { session } = await openDevice(t, await t.addUser());
    await t.ledger.recogniseDevice(session.id);
    t.db.reader.$client.run('PRAGMA query_only = ON');
    const refusal = await refusalOf(t.ledger.end(session.id, { reason: 'unpaired' }));
    expect(refusal.code).toBe('store_unavailable');
    t.db.reader.$client.run('PRAGMA query_only = OFF');
    expect(await t.ledger.recogniseDevice(session.id)).toMatchObject({ ok: false, reason: 'revoked' });
    await t.ledger.flush();
    expect((await t.ledger.find(session.id))?.status).toBe('revoked');
  });

  test('is let in by a live session, or by the operator, for a person who may sign in', async () => {
    await using t = temporaryLedger();
    const userId = await t.addUser();
    const browser = await t.signIn(userId);
    await openDevice(t, userId, browser.session.id);
    await t.ledger.end(browser.session.id, { reason: 'signed_out' });
    expect((await refusalOf(openDevice(t, userId, browser.session.id))).code).toBe('session_ended');
    await openDevice(t, userId);
    t.db.reader.$client.run("UPDATE users SET status = 'disabled'");
    expect((await refusalOf(openDevice(t, userId))).code).toBe('user_disabled');
  });

  test('counts as used when its key signed or it is touched, not when it is named; it never runs out', async () => {
    const clock = new ManualClock();
    await using t = temporaryLedger({ clock });
    const { session } = await openDevice(t, await t.addUser());
    await clock.advance(HOUR);
    await t.ledger.recogniseDevice(session.id);
    expect(t.ledger.lastSeenAt(session.id)).toBe(session.createdAt);
    t.ledger.deviceSigned(session.id);
    expect(t.ledger.lastSeenAt(session.id)).toBe(clock.now());
    await clock.advance(10_000);
    t.ledger.deviceSigned(session.id);
    await t.ledger.flush();
    expect((await t.ledger.find(session.id))?.lastSeenAt).toBe(clock.now() - 10_000);
    await clock.advance(1_000 * 24 * HOUR);
    expect(await t.ledger.recogniseDevice(session.id)).toMatchObject({ ok: true });
    await clock.advance(60_000);
    t.ledger.touch(session.id);
    expect(t.ledger.lastSeenAt(session.id)).toBe(clock.now());
    await t.ledger.flush();
    expect((await t.ledger.find(session.id))?.lastSeenAt).toBe(clock.now());
    expect(t.ledger.lastSeenAt('ses_x' as SessionId)).toBeUndefined();
  });
});

describe('a new token or key', () => {
  test('takes the place of the one before, also in memory', async () => {
    await using t = temporaryLedger();
    const { session, token } = await openDevice(t, await t.addUser());
    const isGood = async (each: string) => (await t.ledger.authenticate(each, 'device', DEVICE_AUDIENCE)).ok;
    expect(await isGood(token)).toBe(true);
    const next = await t.db.write((tx) => t.ledger.replaceDeviceToken(tx, session.id));
    expect([await isGood(token), await isGood(next)]).toEqual([false, true]);
    await t.ledger.recogniseDevice(session.id);
    await t.db.write((tx) => t.ledger.changeDeviceKey(tx, session.id, OTHER_KEY));
    expect(await t.ledger.recogniseDevice(session.id)).toMatchObject({ publicKey: OTHER_KEY });
  });

  test('is rolled back with the rest of its transaction', async () => {
    await using t = temporaryLedger();
    const { session, token } = await openDevice(t, await t.addUser());
    const failing = t.db.write((tx) => {
      t.ledger.replaceDeviceToken(tx, session.id);
      t.ledger.changeDeviceKey(tx, session.id, OTHER_KEY);
      throw new AppError('conflict', 'no', 'No.');
    });
    expect((await refusalOf(failing)).code).toBe('no');
    expect(await t.ledger.recogniseDevice(session.id)).toMatchObject({ publicKey: KEY });
    expect((await t.ledger.authenticate(token, 'device', DEVICE_AUDIENCE)).ok).toBe(true);
  });

  test('is for live devices alone', async () => {
    await using t = temporaryLedger();
    const userId = await t.addUser();
    const browser = await t.signIn(userId);
    const { session } = await openDevice(t, userId);
    const replace = (id: SessionId) => refusalOf(t.db.write((tx) => t.ledger.replaceDeviceToken(tx, id)));
    const rekey = (id: SessionId) =>
      refusalOf(t.db.write((tx) => t.ledger.changeDeviceKey(tx, id, OTHER_KEY)));
    expect((await replace(browser.session.id)).code).toBe('not_a_device');
    expect((await rekey(browser.session.id)).code).toBe('not_a_device');
    await t.ledger.end(session.id, { reason: 'unpaired' });
    expect((await replace(session.id)).code).toBe('session_ended');
    expect((await rekey(session.id)).code).toBe('session_ended');
  });
});

describe('a look-up that is on its way', () => {
  const slow = () => {
    const held = heldReader(() => new AppError('unavailable', 'store_unavailable', 'Away.'));
    return { held, t: temporaryLedger({ credentials: held.reader }) };
  };

  test('does not bring back a device that was ended meanwhile', async () => {
    const { held, t } = slow();
    await using _ = t;
    const { session } = await openDevice(t, await t.addUser());
    const asked = [t.ledger.recogniseDevice(session.id), t.ledger.recogniseDevice(session.id)];
    expect(held.open).toBe(1);
    await t.ledger.end(session.id, { reason: 'unpaired' });
    held.answer(0, 'stale');
    for (const answer of asked) expect(await answer).toMatchObject({ ok: false, reason: 'revoked' });
    expect(await t.ledger.recogniseDevice(session.id)).toMatchObject({ ok: false, reason: 'revoked' });
  });

  test('is read again where the key was changed meanwhile', async () => {
    const { held, t } = slow();
    await using _ = t;
    const { session } = await openDevice(t, await t.addUser());
    const asked = t.ledger.recogniseDevice(session.id);
    await t.db.write((tx) => t.ledger.changeDeviceKey(tx, session.id, OTHER_KEY));
    held.answer(0, 'stale');
    await settle();
    held.answer(0, 'fresh');
    expect(await asked).toMatchObject({ ok: true, publicKey: OTHER_KEY });
  });

  test('that fails is an outage, and remembered by nobody', async () => {
    const { held, t } = slow();
    await using _ = t;
    const { session } = await openDevice(t, await t.addUser());
    const asked = Promise.resolve(t.ledger.recogniseDevice(session.id));
    held.answer(0, 'outage');
    expect((await refusalOf(asked)).code).toBe('store_unavailable');
    const again = t.ledger.recogniseDevice(session.id);
    held.answer(0, 'fresh');
    expect(await again).toMatchObject({ ok: true });
  });
});

describe('a guest', () => {
  const audience = hostAudience(HOST);

  test('is a browser session of the owner at one host, below the device, until the end of the link', async () => {
    const clock = new ManualClock();
    await using t = temporaryLedger({ clock });
    const userId = await t.addUser();
    const device = await openDevice(t, userId);
    const { session, token } = await openGuest(t, device.session.id, clock.now() + HOUR);
    const found = await t.ledger.authenticate(token, 'cookie', audience);
    if (!found.ok) throw new Error(found.reason);
    expect(found.session).toMatchObject({ id: session.id, userId, parentId: device.session.id });
    expect(guestLinkOf(found.session)).toBe('gst_1');
    expect(guestLinkOf(device.session)).toBeUndefined();
    expect((await t.ledger.authenticate(token, 'cookie', originAudience(TEST_ORIGIN))).ok).toBe(false);
    await clock.advance(HOUR);
    expect(await t.ledger.authenticate(token, 'cookie', audience)).toMatchObject({ reason: 'expired' });
  });

  test('is no use of the device', async () => {
    const clock = new ManualClock();
    await using t = temporaryLedger({ clock });
    const device = await openDevice(t, await t.addUser());
    const pairedAt = clock.now();
    const { token } = await openGuest(t, device.session.id, clock.now() + 100 * HOUR);
    await clock.advance(HOUR);
    expect((await t.ledger.authenticate(token, 'cookie', audience)).ok).toBe(true);
    await clock.advance(HOUR);
    expect((await t.ledger.authenticate(token, 'cookie', audience)).ok).toBe(true);
    expect(t.ledger.lastSeenAt(device.session.id)).toBe(pairedAt);
  });

  test('ends with the link that it came from', async () => {
    await using t = temporaryLedger();
    const device = await openDevice(t, await t.addUser());
    const expiresAt = t.clock.now() + HOUR;
    const guests = [
      await openGuest(t, device.session.id, expiresAt),
      await openGuest(t, device.session.id, expiresAt),
    ];
    const end = (linkId: string) =>
      t.db.write((tx) =>
        t.ledger.endGuestsIn(
          tx,
          { parentId: device.session.id, linkId, expiresAt },
          { reason: 'guest_link_ended' },
        ),
      );
    expect(await end('gst_2')).toBe(0);
    expect(await end('gst_1')).toBe(2);
    for (const { token } of guests)
      expect(await t.ledger.authenticate(token, 'cookie', audience)).toMatchObject({ reason: 'revoked' });
    expect((await openGuest(t, device.session.id, expiresAt)).session.status).toBe('active');
  });

  test('ends with the device, with the person’s other sessions, and where the person may not sign in', async () => {
    await using t = temporaryLedger();
    const userId = await t.addUser();
    const device = await openDevice(t, userId);
    const until = t.clock.now() + HOUR;
    const ended = [
      await openGuest(t, device.session.id, until),
      await openGuest(t, device.session.id, until),
    ];
    await t.ledger.endAll(userId, { reason: 'everywhere' });
    ended.push(await openGuest(t, device.session.id, until));
    await t.ledger.end(device.session.id, { reason: 'unpaired' });
    for (const { token } of ended)
      expect(await t.ledger.authenticate(token, 'cookie', audience)).toMatchObject({ reason: 'revoked' });
    expect((await refusalOf(openGuest(t, device.session.id, until))).code).toBe('session_ended');
    const browser = await t.signIn(userId);
    expect((await refusalOf(openGuest(t, browser.session.id, until))).code).toBe('not_a_device');
  });
});
