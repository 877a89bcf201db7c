import { describe, expect, test } from 'bun:test';
import { deviceHostNames } from '../../../src/devices/access-hosts.ts';
import { type GuestVisit, guestLinks } from '../../../src/devices/guest-links.ts';
import type { Device } from '../../../src/devices/model.ts';
import { guestLinkStore } from '../../../src/devices/store-guest-links.ts';
import { hostAudience } from '../../../src/sessions/audience.ts';
import { temporaryLedger } from '../../support/ledger.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { reachedDevices } from '../../support/reached-device.ts';
import { refusalOf } from '../../support/refusal.ts';

const HOST = 'web--pi.devices.example.test';
const HOUR = 3_600_000;

async function setUp({ maxPerDevice = 10, withHosts = true } = {}) {
  const clock = new ManualClock();
  const base = temporaryLedger({ clock });
  const { ledger, db, audit } = base;
  const devices = reachedDevices({ db, ledger, clock });
  const alice = await base.addUser('alice');
  const browser = await base.signIn(alice);
  const pi = await devices.add(alice, 'pi');
  const links = guestLinks({
    db,
    store: guestLinkStore(db),
    ledger,
    audit,
    clock,
    hosts: withHosts ? deviceHostNames('devices.example.test') : undefined,
    secure: true,
    maxLifetimeMs: 24 * HOUR,
    maxPerDevice,
  });
  const by = { userId: alice, sessionId: browser.session.id, address: '192.0.2.1', userAgent: 'test' };
  const make = (device: Device = pi, more = {}) =>
    links.make(device, { service: 'web', label: 'plumber', lifetimeMs: HOUR, maxUses: 3, ...more }, by);
  const secretOf = ({ url }: { url: string }) => url.slice(url.indexOf('#') + 1);
  const visit = (secret: string, more: Partial<GuestVisit> = {}) =>
    links.redeem({
      secret,
      device: pi,
      service: 'web',
      host: HOST,
      address: '198.51.100.7',
      userAgent: 'guest',
      ...more,
    });
  const isIn = async (token: string, host = HOST) =>
    (await ledger.authenticate(token, 'cookie', hostAudience(host))).ok;
  return {
    clock,
    base,
    ledger,
    db,
    devices,
    alice,
    browser,
    pi,
    links,
    by,
    make,
    secretOf,
    visit,
    isIn,
    [Symbol.asyncDispose]: () => base[Symbol.asyncDispose](),
  };
}

const codeOf = async (act: Promise<unknown>) => (await refusalOf(act)).code;

describe('a guest link', () => {
  test('leads to a page on the host of the service, with its secret in the fragment', async () => {
    await using it = await setUp();
    const { link, url } = await it.make();
    expect(url).toMatch(/^https:\/\/web--pi\.devices\.example\.test\/\.postern\/guest#[\w-]{43}$/);
    expect(link).toMatchObject({ service: 'web', label: 'plumber', uses: 0, maxUses: 3 });
    expect(link.expiresAt - link.createdAt).toBe(HOUR);
    expect(JSON.stringify(it.links.list(it.pi))).not.toContain(it.secretOf({ url }));
  });

  test('makes a session that is good at that host alone, and ends with the link', async () => {
    await using it = await setUp();
    const made = await it.make();
    const { session, token } = await it.visit(it.secretOf(made));
    expect(session).toMatchObject({
      kind: 'user',
      userId: it.alice,
      parentId: it.pi.sessionId,
      expiresAt: made.link.expiresAt,
    });
    expect(await it.isIn(token)).toBe(true);
    expect(await it.isIn(token, 'ssh--pi.devices.example.test')).toBe(false);
    expect(await it.isIn(token, 'auth.example.test')).toBe(false);
    await it.clock.advance(HOUR);
    expect(await it.isIn(token)).toBe(false);
    expect(await codeOf(it.visit(it.secretOf(made)))).toBe('guest_link_not_good');
    expect(it.links.list(it.pi)).toEqual([]);
  });

  test('is used as often as it says', async () => {
    await using it = await setUp();
    const secret = it.secretOf(await it.make(it.pi, { maxUses: 2 }));
    await it.visit(secret);
    await it.visit(secret);
    expect(await codeOf(it.visit(secret))).toBe('guest_link_not_good');
    expect(it.links.list(it.pi)).toMatchObject([{ uses: 2, lastUsedAt: it.clock.now() }]);
  });

  test('that a hundred come with at once lets in as many as it may', async () => {
    await using it = await setUp();
    const secret = it.secretOf(await it.make(it.pi, { maxUses: 5 }));
    const visits = await Promise.allSettled(Array.from({ length: 100 }, () => it.visit(secret)));
    expect(visits.filter(({ status }) => status === 'fulfilled')).toHaveLength(5);
  });

  test('is of no use for another service, another device, or with another secret', async () => {
    await using it = await setUp();
    const secret = it.secretOf(await it.make());
    const other = await it.devices.add(it.alice, 'other');
    expect(await codeOf(it.visit(secret, { service: 'ssh' }))).toBe('guest_link_not_good');
    expect(await codeOf(it.visit(secret, { device: other }))).toBe('guest_link_not_good');
    expect(await codeOf(it.visit(secret.toLowerCase()))).toBe('guest_link_not_good');
    expect(await codeOf(it.visit(''))).toBe('guest_link_not_good');
    expect(it.links.list(it.pi)).toMatchObject([{ uses: 0 }]);
  });

  test('that is ended ends every session that began with it, and no other', async () => {
    await using it = await setUp();
    const [one, other] = [await it.make(), await it.make()];
    const first = await it.visit(it.secretOf(one));
    const second = await it.visit(it.secretOf(one));
    const kept = await it.visit(it.secretOf(other));
    const closed: string[] = [];
    it.ledger.attach(first.session.id, (reason) => closed.push(reason));
    expect(await it.links.end(it.pi, one.link.id, it.by)).toBe(true);
    expect(closed).toEqual(['guest_link_ended']);
    expect([await it.isIn(first.token), await it.isIn(second.token), await it.isIn(kept.token)]).toEqual([
      false,
      false,
      true,
    ]);
    expect(await codeOf(it.visit(it.secretOf(one)))).toBe('guest_link_not_good');
    expect(await it.links.end(it.pi, one.link.id, it.by)).toBe(false);
    expect(it.links.list(it.pi)).toMatchObject([{ id: other.link.id }]);
  });

  test('that is ended while guests come leaves none of them in', async () => {
    await using it = await setUp();
    const { link, ...made } = await it.make(it.pi, { maxUses: 1_000 });
    const visits = Array.from({ length: 40 }, () => it.visit(it.secretOf(made)));
    const ended = it.links.end(it.pi, link.id, it.by);
    const late = Array.from({ length: 40 }, () => it.visit(it.secretOf(made)));
    await ended;
    const settled = await Promise.allSettled([...visits, ...late]);
    for (const each of settled) {
      if (each.status === 'fulfilled') expect(await it.isIn(each.value.token)).toBe(false);
    }
  });

  test('of another device is not ended', async () => {
    await using it = await setUp();
    const { link } = await it.make();
    const other = await it.devices.add(it.alice, 'other');
    expect(await it.links.end(other, link.id, it.by)).toBe(false);
    expect(it.links.list(it.pi)).toHaveLength(1);
  });

  test('goes with its device, and so do its guests', async () => {
    await using it = await setUp();
    const made = await it.make();
    const guest = await it.visit(it.secretOf(made));
    await it.ledger.end(it.pi.sessionId, { reason: 'unpaired' });
    expect(await it.isIn(guest.token)).toBe(false);
    expect(it.links.list(it.pi)).toEqual([]);
    expect(await codeOf(it.visit(it.secretOf(made)))).toBe('guest_link_not_good');
    expect(await codeOf(it.make())).toBe('session_ended');
  });

  test('outlives the session that made it; a guest who signs out ends for themselves alone', async () => {
    await using it = await setUp();
    const secret = it.secretOf(await it.make());
    await it.ledger.end(it.browser.session.id, { reason: 'signed_out' });
    const guest = await it.visit(secret);
    const other = await it.visit(secret);
    await it.ledger.end(guest.session.id, { reason: 'signed_out' });
    expect([await it.isIn(guest.token), await it.isIn(other.token)]).toEqual([false, true]);
    expect(await codeOf(it.make())).toBe('session_ended');
  });

  test('is written down: made, used, ended', async () => {
    await using it = await setUp();
    const made = await it.make();
    await it.visit(it.secretOf(made));
    await it.links.end(it.pi, made.link.id, it.by);
    const rows = it.base.auditStore
      .list({ userId: it.alice, limit: 50 })
      .filter(({ action }) => action.startsWith('guest_link.'));
    expect(rows.map(({ action }) => action).toReversed()).toEqual([
      'guest_link.created',
      'guest_link.used',
      'guest_link.ended',
    ]);
    expect(rows.every(({ detail }) => detail?.['guest_link'] === made.link.id)).toBe(true);
    expect(JSON.stringify(rows)).not.toContain(it.secretOf(made));
  });

  test.each([
    ['lifetime_too_long', { lifetimeMs: 24 * HOUR + 1 }, {}],
    ['too_many_guest_links', {}, { maxPerDevice: 0 }],
    ['no_device_hosts', {}, { withHosts: false }],
  ])('is refused: %s', async (code, request, options) => {
    await using it = await setUp(options);
    expect(await codeOf(it.make(it.pi, request))).toBe(code);
    expect(it.links.list(it.pi)).toEqual([]);
  });

  test('is deleted once it has run out', async () => {
    await using it = await setUp();
    await it.make();
    const reap = () => it.db.write((tx) => it.links.reapTask.deleteExpired(tx, it.clock.now(), 100));
    expect(await reap()).toBe(0);
    await it.clock.advance(HOUR);
    expect(await reap()).toBe(1);
  });
});
