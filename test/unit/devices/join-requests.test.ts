import { describe, expect, test } from 'bun:test';
import { admission } from '../../../src/devices/admission.ts';
import { JOIN_PRESENTED, joinRequests } from '../../../src/devices/join-requests.ts';
import { deviceCounts } from '../../../src/devices/metrics.ts';
import type { DeviceAbout } from '../../../src/devices/model.ts';
import type { Proof } from '../../../src/devices/proof.ts';
import { deviceStore } from '../../../src/devices/store.ts';
import { joinRequestStore } from '../../../src/devices/store-join-requests.ts';
import { addressKey, localLimiter } from '../../../src/http/rate-limit.ts';
import { keyPurpose, keyRing } from '../../../src/lib/key-ring.ts';
import { pollPace } from '../../../src/lib/poll-pace.ts';
import { newSecret } from '../../../src/lib/random.ts';
import { readTypedCode, typedCodeHashes } from '../../../src/lib/typed-code.ts';
import { DEVICE_AUDIENCE } from '../../../src/sessions/audience.ts';
import type { Issued } from '../../../src/sessions/ledger.ts';
import { newDeviceKey } from '../../../src/signatures/ed25519-key.ts';
import { signPairing } from '../../../src/signatures/pairing-proof.ts';
import { TEST_ORIGIN, TEST_SECRET, temporaryLedger } from '../../support/ledger.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { refusalOf } from '../../support/refusal.ts';

const LIFETIME_MS = 600_000;
const ADDRESS = '192.0.2.7';
const FROM = { address: ADDRESS, userAgent: 'agent' };

function about(changes: Partial<DeviceAbout> = {}): DeviceAbout {
  return { name: 'Kitchen', serial: undefined, platform: 'linux', chip: undefined, labels: {}, ...changes };
}

function begin({ perAddress = 100, maxPending = 100 } = {}) {
  const clock = new ManualClock();
  const base = temporaryLedger({ clock });
  const { db, ledger, audit } = base;
  const devices = deviceStore(db);
  const joins = joinRequests({
    db,
    store: joinRequestStore(db),
    devices,
    admission: admission({ store: devices, ledger, audit, clock, maxPerUser: 10 }),
    hashes: typedCodeHashes(keyRing([TEST_SECRET]), keyPurpose('test')),
    pace: pollPace({ clock, intervalMs: 5_000, maxKeys: 100 }),
    ledger,
    audit,
    clock,
    origin: TEST_ORIGIN,
    limit: localLimiter(clock, { name: 'joins', limit: perAddress, windowMs: 60_000, maxKeys: 100 }),
    addressKey,
    maxPending,
    lifetimeMs: LIFETIME_MS,
    count: deviceCounts(base.metrics, () => 0).join,
  });
  ledger.whenEnding((tx, ended) => joins.voidOf(tx, ended));

  /** A device with a key of its own. */
  const newDevice = (changes: Partial<DeviceAbout> = {}, key = newDeviceKey()) => {
    const proof = (presented: string, more: Partial<Proof> = {}): Proof => {
      const created = more.created ?? Math.floor(clock.now() / 1_000);
      const nonce = more.nonce ?? newSecret();
      const signed = signPairing(key, { origin: TEST_ORIGIN, presented, created, nonce });
      return { publicKey: key.publicKey, created, nonce, proof: signed, ...more };
    };
    return {
      key,
      proof,
      ask: (sent = proof(JOIN_PRESENTED)) => joins.begin(about(changes), sent, ADDRESS),
      redeem: (deviceCode: string, sent = proof(deviceCode)) => joins.redeem(deviceCode, sent, FROM),
    };
  };
  const find = (userCode: string) => joins.find(readTypedCode(userCode) ?? '');
  const by = ({ session }: Issued) => ({ userId: session.userId, sessionId: session.id });
  return {
    ...base,
    clock,
    devices,
    joins,
    newDevice,
    find,
    async approve(userCode: string, person: Issued) {
      const asking = find(userCode);
      if (asking === undefined) throw new Error('nobody asks with this code');
      await joins.approve(asking, by(person));
    },
    async deny(userCode: string, person: Issued) {
      const asking = find(userCode);
      if (asking === undefined) throw new Error('nobody asks with this code');
      await joins.deny(asking, by(person));
    },
    person: async (name = 'ada') => base.signIn(await base.addUser(name)),
    [Symbol.asyncDispose]: () => base[Symbol.asyncDispose](),
  };
}

const codeOf = async (act: Promise<unknown>) => (await refusalOf(act)).code;

describe('a device that begins', () => {
  test('shows a code, waits, and becomes a device of who typed it', async () => {
    await using t = begin();
    const person = await t.person();
    const device = t.newDevice({ name: 'Kitchen display', serial: 'A1' });
    const { deviceCode, userCode } = await device.ask();
    expect(await codeOf(device.redeem(deviceCode))).toBe('authorization_pending');
    expect(await codeOf(device.redeem(deviceCode))).toBe('slow_down');
    const asking = t.find(userCode);
    expect(asking?.request).toMatchObject({ about: { name: 'Kitchen display' }, address: ADDRESS });
    expect(asking?.fingerprint).toMatch(/^([a-z2-7]{4} ){3}[a-z2-7]{4}$/);
    await t.approve(userCode, person);
    const paired = await device.redeem(deviceCode);
    expect(paired.device).toMatchObject({
      userId: person.session.userId,
      handle: 'kitchen-display',
      publicKey: device.key.publicKey,
    });
    const speaks = await t.ledger.authenticate(paired.token, 'device', DEVICE_AUDIENCE);
    expect(speaks).toMatchObject({ ok: true, session: { kind: 'device' } });
  });

  test('may ask again for an answer that was lost, and only its last token is good', async () => {
    await using t = begin();
    const device = t.newDevice();
    const { deviceCode, userCode } = await device.ask();
    await t.approve(userCode, await t.person());
    const [first, second] = [await device.redeem(deviceCode), await device.redeem(deviceCode)];
    expect(second.device.id).toBe(first.device.id);
    const speaks = (token: typeof first.token) => t.ledger.authenticate(token, 'device', DEVICE_AUDIENCE);
    expect(await speaks(first.token)).toMatchObject({ ok: false });
    expect(await speaks(second.token)).toMatchObject({ ok: true });
    await t.clock.advance(LIFETIME_MS);
    expect(await codeOf(device.redeem(deviceCode))).toBe('expired_token');
  });

  test('is told nothing more once it was unpaired, however often it asks', async () => {
    await using t = begin();
    const device = t.newDevice();
    const { deviceCode, userCode } = await device.ask();
    await t.approve(userCode, await t.person());
    const { device: paired } = await device.redeem(deviceCode);
    const unpaired = t.db.write((tx) =>
      t.devices.unpairOf(tx, [paired.sessionId], t.clock.now(), 'unpaired'),
    );
    const answers = await Promise.allSettled([unpaired, device.redeem(deviceCode)]);
    expect(answers[0]?.status).toBe('fulfilled');
    expect(await codeOf(device.redeem(deviceCode))).toBe('pairing_refused');
  });

  test('fetched a hundred times at once is one device', async () => {
    await using t = begin();
    const device = t.newDevice();
    const { deviceCode, userCode } = await device.ask();
    const person = await t.person();
    await t.approve(userCode, person);
    const answers = await Promise.allSettled(Array.from({ length: 100 }, () => device.redeem(deviceCode)));
    expect(answers.some(({ status }) => status === 'fulfilled')).toBe(true);
    expect(t.devices.list(person.session.userId)).toHaveLength(1);
  });

  test('twice shows one code that is good', async () => {
    await using t = begin();
    const device = t.newDevice();
    const [first, second] = [await device.ask(), await device.ask()];
    expect(t.find(first.userCode)).toBeUndefined();
    expect(t.find(second.userCode)).toBeDefined();
    expect(await codeOf(device.redeem(first.deviceCode))).toBe('pairing_refused');
  });
});

describe('an answer', () => {
  test('is no, or too late', async () => {
    await using t = begin();
    const person = await t.person();
    const [refused, late] = [t.newDevice(), t.newDevice()];
    const [one, other] = [await refused.ask(), await late.ask()];
    await t.deny(one.userCode, person);
    expect(await codeOf(refused.redeem(one.deviceCode))).toBe('access_denied');
    await t.clock.advance(LIFETIME_MS);
    expect(t.find(other.userCode)).toBeUndefined();
    expect(await codeOf(late.redeem(other.deviceCode))).toBe('expired_token');
  });

  test('counts once', async () => {
    await using t = begin();
    const person = await t.person();
    const { userCode } = await t.newDevice().ask();
    const outcomes = await Promise.allSettled([t.approve(userCode, person), t.deny(userCode, person)]);
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
  });

  test('falls with the session that gave it, as long as nobody has fetched it', async () => {
    await using t = begin();
    const person = await t.person();
    const [slow, quick] = [t.newDevice(), t.newDevice()];
    const [one, other] = [await slow.ask(), await quick.ask()];
    await t.approve(one.userCode, person);
    await t.approve(other.userCode, person);
    const { device } = await quick.redeem(other.deviceCode);
    await t.ledger.end(person.session.id, { reason: 'signed_out' });
    expect(await codeOf(slow.redeem(one.deviceCode))).toBe('access_denied');
    expect(t.devices.find(device.id)).toBeDefined();
  });

  test('is refused for a key or a serial that a paired device has', async () => {
    await using t = begin();
    const person = await t.person();
    const first = t.newDevice({ serial: 'A1' });
    const { deviceCode, userCode } = await first.ask();
    await t.approve(userCode, person);
    await first.redeem(deviceCode);
    const sameSerial = await t.newDevice({ serial: 'A1' }).ask();
    const sameKey = await t.newDevice({}, first.key).ask();
    expect(await codeOf(t.approve(sameSerial.userCode, person))).toBe('serial_in_use');
    expect(await codeOf(t.approve(sameKey.userCode, person))).toBe('key_in_use');
  });
});

describe('refused is', () => {
  test('a device code in other hands', async () => {
    await using t = begin();
    const device = t.newDevice();
    const { deviceCode, userCode } = await device.ask();
    await t.approve(userCode, await t.person());
    expect(await codeOf(t.newDevice().redeem(deviceCode))).toBe('pairing_refused');
    expect(await codeOf(device.redeem(newSecret()))).toBe('pairing_refused');
    expect((await device.redeem(deviceCode)).device.publicKey).toBe(device.key.publicKey);
  });

  test.each([
    ['of another text', (d: Device) => d.proof('another'), 'proof_invalid'],
    ['that is none', (d: Device) => d.proof(JOIN_PRESENTED, { proof: 'x'.repeat(86) }), 'proof_invalid'],
    ['that is old', (d: Device) => d.proof(JOIN_PRESENTED, { created: NOW_SECONDS - 61 }), 'proof_stale'],
    ['of the future', (d: Device) => d.proof(JOIN_PRESENTED, { created: NOW_SECONDS + 31 }), 'proof_future'],
    ['of a weak key', (d: Device) => d.proof(JOIN_PRESENTED, { publicKey: WEAK_KEY }), 'bad_public_key'],
  ])('a proof %s', async (_, proof, code) => {
    await using t = begin();
    const device = t.newDevice();
    expect(await codeOf(device.ask(proof(device)))).toBe(code);
    expect(await codeOf(device.ask(proof(device)))).toBe(code);
  });

  test('a proof that came before', async () => {
    await using t = begin();
    const device = t.newDevice();
    const sent = device.proof(JOIN_PRESENTED);
    const { deviceCode, userCode } = await device.ask(sent);
    expect(await codeOf(device.ask(sent))).toBe('proof_replayed');
    await t.approve(userCode, await t.person());
    const again = device.proof(deviceCode);
    await device.redeem(deviceCode, again);
    expect(await codeOf(device.redeem(deviceCode, again))).toBe('proof_replayed');
  });

  test('too much, from one address and in all', async () => {
    await using few = begin({ perAddress: 1 });
    await few.newDevice().ask();
    const limited = await refusalOf(few.newDevice().ask());
    expect(limited).toMatchObject({ kind: 'too_many_requests', code: 'too_many_joins' });
    await using full = begin({ maxPending: 1 });
    await full.newDevice().ask();
    const refused = await refusalOf(full.newDevice().ask());
    expect(refused).toMatchObject({ kind: 'unavailable', code: 'too_many_joins' });
  });
});

test('what became of those who asked is counted', async () => {
  await using t = begin({ perAddress: 4, maxPending: 2 });
  const person = await t.person();
  const [good, bad] = [t.newDevice(), t.newDevice()];
  const [one, other] = [await good.ask(), await bad.ask()];
  expect(await codeOf(t.newDevice().ask())).toBe('too_many_joins');
  await t.approve(one.userCode, person);
  await t.deny(other.userCode, person);
  for (let times = 0; times < 3; times++) await good.redeem(one.deviceCode);
  await t.newDevice().ask();
  expect(await codeOf(t.newDevice().ask())).toBe('too_many_joins');
  const figures = t.metrics.render().matchAll(/^postern_joins_total\{outcome="(\w+)"\} (\d+)$/gm);
  expect(Object.fromEntries([...figures].map(([, outcome, count]) => [outcome, count]))).toEqual({
    begun: '3',
    rate_limited: '1',
    full: '1',
    approved: '1',
    denied: '1',
    paired: '1',
    repeated: '2',
  });
});

type Device = ReturnType<ReturnType<typeof begin>['newDevice']>;
/** Where a `ManualClock` begins. */
const NOW_SECONDS = new ManualClock().now() / 1_000;
/** The identity: every signature of a kind holds for it. */
const WEAK_KEY = Buffer.from(`01${'00'.repeat(31)}`, 'hex').toString('base64url');

test('who is asked is let in, for as long as they may sign in', async () => {
  await using t = begin();
  const person = await t.person();
  const device = t.newDevice();
  const { deviceCode, userCode } = await device.ask();
  await t.approve(userCode, person);
  await t.ledger.endAll(person.session.userId, { reason: 'everywhere' });
  expect(await codeOf(device.redeem(deviceCode))).toBe('access_denied');
});
