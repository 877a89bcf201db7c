import { describe, expect, test } from 'bun:test';
import { DEVICE_AUDIENCE } from '../../../src/sessions/audience.ts';
import { newDeviceKey } from '../../../src/signatures/ed25519-key.ts';
import { temporaryApi } from '../../support/api.ts';
import { TEST_ORIGIN } from '../../support/ledger.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import {
  callSigned,
  codeOf,
  makePairing,
  type PairedAnswer,
  pairDevice,
  proofOf,
  redeemAt,
  redemptionOf,
} from '../../support/pairing.ts';
import { until } from '../../support/until.ts';

const MINUTE = 60_000;

describe('a pairing code', () => {
  test('is shown once, as code, token and link, and listed without its secrets', async () => {
    await using api = temporaryApi();
    const ada = await api.signIn();
    const made = await makePairing(api, ada);
    expect(made.code).toMatch(/^[2-9A-HJKMNP-TV-Z]{4}-[2-9A-HJKMNP-TV-Z]{4}$/);
    expect(made.link).toBe(`${TEST_ORIGIN}/pair#${made.token}`);
    expect(made.expires_at).toBe('2030-01-01T00:10:00.000Z');
    const text = await (await api.call('/api/v1/pairings', { cookie: ada.token })).text();
    expect(JSON.parse(text)).toEqual({
      pairings: [{ id: made.id, created_at: made.created_at, expires_at: made.expires_at }],
    });
    const kept = JSON.stringify(api.base.db.reader.all('SELECT * FROM pairings'));
    for (const secret of [made.code, made.code.replace('-', ''), made.token])
      expect(kept).not.toContain(secret);
    expect(api.base.auditStore.list({ limit: 1 })[0]).toMatchObject({
      action: 'pairing.created',
      actorUserId: ada.userId,
      sessionId: ada.sessionId,
      detail: { pairing: made.id },
    });
  });

  test('needs a browser session: no token makes, lists or cancels one', async () => {
    await using api = temporaryApi();
    const ada = await api.signIn();
    const made = await makePairing(api, ada);
    const { token: bearer } = await api.makeToken(ada, { scopes: ['devices:read', 'devices:write'] });
    for (const [method, path] of [
      ['POST', '/api/v1/pairings'],
      ['GET', '/api/v1/pairings'],
      ['DELETE', `/api/v1/pairings/${made.id}`],
    ] as const) {
      expect(await codeOf(await api.call(path, { method, bearer }))).toBe('403 browser_session_required');
      expect(await codeOf(await api.call(path, { method }))).toBe('401 not_signed_in');
    }
  });

  test('is cancelled by whom it belongs to, once, and then worth nothing', async () => {
    await using api = temporaryApi();
    const [ada, eve] = [await api.signIn(), await api.signIn()];
    const made = await makePairing(api, ada);
    const cancel = (cookie: typeof ada.token) =>
      api.call(`/api/v1/pairings/${made.id}`, { method: 'DELETE', cookie });
    expect((await cancel(eve.token)).status).toBe(404);
    expect((await cancel(ada.token)).status).toBe(204);
    expect((await cancel(ada.token)).status).toBe(404);
    const answer = await redeemAt(api, redemptionOf(api, { code: made.code }, newDeviceKey()));
    expect(await codeOf(answer)).toBe('403 pairing_refused');
  });

  test('waits with so many others of its person, and no more', async () => {
    await using api = temporaryApi({ devices: { config: { pairings_per_user: 2 } } });
    const [ada, bob] = [await api.signIn(), await api.signIn()];
    await makePairing(api, ada);
    await makePairing(api, ada);
    const third = await api.call('/api/v1/pairings', { method: 'POST', cookie: ada.token });
    expect(await codeOf(third)).toBe('422 too_many_pairings');
    await makePairing(api, bob);
  });

  test('is void once the session that made it has ended', async () => {
    await using api = temporaryApi();
    const ada = await api.signIn();
    const other = await api.signIn(ada.userId);
    const made = await makePairing(api, ada);
    await api.call('/api/v1/session', { method: 'DELETE', cookie: ada.token });
    const answer = await redeemAt(api, redemptionOf(api, { token: made.token }, newDeviceKey()));
    expect(await codeOf(answer)).toBe('403 pairing_refused');
    const listed = await api.call('/api/v1/pairings', { cookie: other.token });
    expect(await listed.json()).toEqual({ pairings: [] });
  });

  test('is void once the session that made it has run out, also where nobody has ended it yet', async () => {
    const clock = new ManualClock();
    await using api = temporaryApi({
      clock,
      sessions: { idle_timeout: 5 * MINUTE },
    });
    const made = await makePairing(api, await api.signIn());
    await clock.advance(6 * MINUTE);
    const answer = await redeemAt(api, redemptionOf(api, { token: made.token }, newDeviceKey()));
    expect(await codeOf(answer)).toBe('403 pairing_refused');
  });

  test('is void once its person may not sign in', async () => {
    await using api = temporaryApi();
    const ada = await api.signIn();
    const made = await makePairing(api, ada);
    await api.accounts.people.acts.disable(ada.userId, {});
    const answer = await redeemAt(api, redemptionOf(api, { token: made.token }, newDeviceKey()));
    expect(await codeOf(answer)).toBe('403 pairing_refused');
  });
});

describe('redeeming', () => {
  test('gives a device with a session of its own, for code and token alike', async () => {
    await using api = temporaryApi();
    const ada = await api.signIn();
    const [key, other] = [newDeviceKey(), newDeviceKey()];
    const { code } = await makePairing(api, ada);
    const about = {
      name: ' Küche  Pi! ',
      serial: 'SN-1',
      platform: 'linux-arm64',
      chip: 'BCM2712',
      labels: { room: 'kitchen' },
    };
    const response = await redeemAt(api, redemptionOf(api, { code: code.toLowerCase() }, key, about), {
      headers: { 'user-agent': 'postern-agent/1' },
    });
    expect(response.status).toBe(201);
    expect(response.headers.get('cache-control')).toBe('no-store');
    const paired = (await response.json()) as PairedAnswer;
    expect(paired).toMatchObject({
      device: {
        ...about,
        name: 'Küche  Pi!',
        handle: 'kuche-pi',
        public_key: key.publicKey,
        session_id: paired.session_id,
        reported: null,
      },
      tunnel_url: 'wss://auth.example.test/api/v1/device/tunnel',
    });
    expect(paired.session_token).toMatch(/^pstd_/);
    const session = await api.base.ledger.find(paired.session_id as never);
    expect(session).toMatchObject({
      kind: 'device',
      userId: ada.userId,
      parentId: undefined,
      audience: [DEVICE_AUDIENCE],
      idleTimeoutMs: undefined,
      expiresAt: undefined,
      label: 'Küche  Pi!',
      deviceId: paired.device.id,
      clientPublicKey: key.publicKey,
      origin: { address: '127.0.0.1', userAgent: 'postern-agent/1' },
    });
    const second = await pairDevice(api, ada, { name: 'Küche Pi' }, other);
    expect(second.handle).toBe('kuche-pi-2');
    expect(api.base.auditStore.list({ limit: 10 })).toContainEqual(
      expect.objectContaining({
        action: 'device.paired',
        subjectUserId: ada.userId,
        sessionId: paired.session_id,
        address: '127.0.0.1',
        detail: { device: paired.device.id },
      }),
    );
  });

  test('once only: another key gets the answer that an unknown code gets', async () => {
    await using api = temporaryApi();
    const { code, token } = await makePairing(api, await api.signIn());
    expect((await redeemAt(api, redemptionOf(api, { code }, newDeviceKey()))).status).toBe(201);
    const answers = [
      await redeemAt(api, redemptionOf(api, { code }, newDeviceKey())),
      await redeemAt(api, redemptionOf(api, { token }, newDeviceKey())),
      await redeemAt(api, redemptionOf(api, { code: 'ABCD-EFGH' }, newDeviceKey())),
      await redeemAt(api, redemptionOf(api, { token: token.toUpperCase() }, newDeviceKey())),
      await redeemAt(api, redemptionOf(api, { code: 'not a code' }, newDeviceKey())),
      await redeemAt(api, redemptionOf(api, { code: '' }, newDeviceKey())),
    ];
    const told = new Set<string>();
    for (const answer of answers) {
      const { request_id: _, ...problem } = (await answer.json()) as { request_id: string };
      told.add(JSON.stringify([answer.status, problem]));
    }
    expect([...told]).toEqual([expect.stringContaining('pairing_refused')]);
  });

  test('too late is refused the same way', async () => {
    const clock = new ManualClock();
    await using api = temporaryApi({ clock });
    const { code } = await makePairing(api, await api.signIn());
    await clock.advance(10 * MINUTE);
    const answer = await redeemAt(api, redemptionOf(api, { code }, newDeviceKey()));
    expect(await codeOf(answer)).toBe('403 pairing_refused');
    await until('the refusal is written', () => api.base.auditStore.list({ limit: 1 })[0]?.id === 2);
    expect(api.base.auditStore.list({ limit: 1 })[0]).toMatchObject({
      action: 'pairing.refused',
      outcome: 'refused',
      detail: { reason: 'expired' },
    });
  });

  test('a lost answer is given again to the same key, with a new token in the place of the first', async () => {
    const clock = new ManualClock();
    await using api = temporaryApi({ clock });
    const key = newDeviceKey();
    const { code, token } = await makePairing(api, await api.signIn());
    const sent = redemptionOf(api, { code }, key);
    const first = (await (await redeemAt(api, sent)).json()) as PairedAnswer;
    expect((await api.call('/api/v1/device', { bearer: first.session_token as never })).status).toBe(200);

    expect(await codeOf(await redeemAt(api, sent))).toBe('401 proof_replayed');
    await clock.advance(9 * MINUTE);
    const again = (await (
      await redeemAt(api, redemptionOf(api, { token }, key, { name: 'Another name' }))
    ).json()) as PairedAnswer;
    expect(again.device).toEqual(first.device);
    expect(again.session_id).toBe(first.session_id);
    expect(again.session_token).not.toBe(first.session_token);
    expect((await api.call('/api/v1/device', { bearer: again.session_token as never })).status).toBe(200);
    const old = await api.call('/api/v1/device', { bearer: first.session_token as never });
    expect(await codeOf(old)).toBe('401 invalid_token');

    await clock.advance(10 * MINUTE);
    const late = await redeemAt(api, redemptionOf(api, { code }, key));
    expect(await codeOf(late)).toBe('403 pairing_refused');
    expect((await api.call('/api/v1/device', { bearer: again.session_token as never })).status).toBe(200);
  });

  test('a device that was unpaired gets no answer again', async () => {
    await using api = temporaryApi();
    const ada = await api.signIn();
    const key = newDeviceKey();
    const { code } = await makePairing(api, ada);
    const paired = (await (await redeemAt(api, redemptionOf(api, { code }, key))).json()) as PairedAnswer;
    await api.call(`/api/v1/devices/${paired.device.id}`, { method: 'DELETE', cookie: ada.token });
    const answer = await redeemAt(api, redemptionOf(api, { code }, key));
    expect(await codeOf(answer)).toBe('403 pairing_refused');
  });

  test('a key or a serial that a live device has is a conflict, and the code is still good', async () => {
    await using api = temporaryApi();
    const [ada, eve] = [await api.signIn(), await api.signIn()];
    const device = await pairDevice(api, ada, { serial: 'SN-1' });
    const { code } = await makePairing(api, eve);
    const withKey = await redeemAt(api, redemptionOf(api, { code }, device.key, { serial: 'SN-2' }));
    expect(await codeOf(withKey)).toBe('409 key_in_use');
    const key = newDeviceKey();
    const withSerial = await redeemAt(api, redemptionOf(api, { code }, key, { serial: 'SN-1' }));
    expect(await codeOf(withSerial)).toBe('409 serial_in_use');
    expect((await api.base.ledger.find(device.sessionId))?.userId).toBe(ada.userId);
    const reasons = () =>
      api.base.auditStore
        .list({ limit: 10 })
        .filter(({ action }) => action === 'pairing.refused')
        .map(({ detail }) => detail?.['reason']);
    await until('both are in the audit', () => reasons().length === 2);
    expect(reasons()).toEqual(['serial_in_use', 'key_in_use']);

    await api.call(`/api/v1/devices/${device.id}`, { method: 'DELETE', cookie: ada.token });
    const now = await redeemAt(api, redemptionOf(api, { code }, device.key, { serial: 'SN-1' }));
    expect(now.status).toBe(201);
  });

  test('one person has so many devices and no more', async () => {
    await using api = temporaryApi({ devices: { config: { per_user: 1 } } });
    const [ada, bob] = [await api.signIn(), await api.signIn()];
    const device = await pairDevice(api, ada);
    const { code } = await makePairing(api, ada);
    const key = newDeviceKey();
    expect(await codeOf(await redeemAt(api, redemptionOf(api, { code }, key)))).toBe('422 too_many_devices');
    await pairDevice(api, bob);
    await api.call(`/api/v1/devices/${device.handle}`, { method: 'DELETE', cookie: ada.token });
    expect((await redeemAt(api, redemptionOf(api, { code }, key))).status).toBe(201);
  });

  test('a handle that was somebody else’s is not given on, one’s own is', async () => {
    await using api = temporaryApi();
    const [ada, eve] = [await api.signIn(), await api.signIn()];
    const device = await pairDevice(api, ada, { name: 'camera' });
    await api.call(`/api/v1/devices/${device.id}`, { method: 'DELETE', cookie: ada.token });
    expect((await pairDevice(api, eve, { name: 'camera' })).handle).toBe('camera-2');
    expect((await pairDevice(api, ada, { name: 'camera' })).handle).toBe('camera');
  });
});

describe('a proof', () => {
  const PEM =
    '-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----';
  const SMALL_ORDER = Buffer.from([1, ...Array<number>(31).fill(0)]).toString('base64url');
  const NON_CANONICAL = Buffer.from([0xed, ...Array<number>(30).fill(0xff), 0x7f]).toString('base64url');

  test.each([
    ['of small order', SMALL_ORDER],
    ['not canonical', NON_CANONICAL],
    ['short', Buffer.alloc(31, 9).toString('base64url')],
    ['long', Buffer.alloc(33, 9).toString('base64url')],
    ['PEM', PEM],
    ['base64 with padding', `${newDeviceKey().publicKey}=`],
    ['empty', ''],
  ])('with a key that is %s is refused, whatever the code', async (_, publicKey) => {
    await using api = temporaryApi();
    const { code } = await makePairing(api, await api.signIn());
    const good = redemptionOf(api, { code }, newDeviceKey());
    for (const presented of [code, 'ABCD-EFGH']) {
      const answer = await redeemAt(api, { ...good, code: presented, public_key: publicKey });
      expect(await codeOf(answer)).toBe('422 bad_public_key');
    }
  });

  test('is for one origin, one code, one time, one nonce and one key', async () => {
    await using api = temporaryApi();
    const { code } = await makePairing(api, await api.signIn());
    const key = newDeviceKey();
    const good = redemptionOf(api, { code }, key);
    const crooked = [
      { ...good, ...proofOf(code, key, good.created, 'https://elsewhere.example.test') },
      { ...good, ...proofOf('ABCD-EFGH', key, good.created) },
      { ...good, created: good.created + 1 },
      { ...good, nonce: `${good.nonce}x` },
      { ...good, public_key: newDeviceKey().publicKey },
      { ...good, proof: `${good.proof.slice(0, -4)}AAAA` },
      { ...good, proof: '' },
    ];
    for (const json of crooked) {
      const answer = await redeemAt(api, json);
      const problem = (await answer.clone().json()) as { server_time: number };
      expect(await codeOf(answer)).toBe('401 proof_invalid');
      expect(problem.server_time).toBe(Date.UTC(2030, 0, 1) / 1_000);
    }
    expect((await redeemAt(api, good)).status).toBe(201);
  });

  test.each([
    [-60, 201],
    [30, 201],
    [-61, '401 proof_stale'],
    [31, '401 proof_future'],
  ])('made %d s from now: %s', async (seconds, expected) => {
    await using api = temporaryApi();
    const { code } = await makePairing(api, await api.signIn());
    const key = newDeviceKey();
    const created = Math.floor(api.base.clock.now() / 1_000) + seconds;
    const answer = await redeemAt(api, { name: 'x', code, ...proofOf(code, key, created) });
    expect(typeof expected === 'number' ? answer.status : await codeOf(answer)).toBe(expected);
  });

  test('comes so often in its time and no more', async () => {
    const clock = new ManualClock();
    await using api = temporaryApi({ clock });
    const key = newDeviceKey();
    const { code } = await makePairing(api, await api.signIn());
    for (let asked = 0; asked < 32; asked++)
      expect((await redeemAt(api, redemptionOf(api, { code }, key))).status).toBe(201);
    expect(await codeOf(await redeemAt(api, redemptionOf(api, { code }, key)))).toBe('401 proof_replayed');
    await clock.advance(61_000);
    expect((await redeemAt(api, redemptionOf(api, { code }, key))).status).toBe(201);
  });
});

describe('what does not fit is refused before anything is looked at', () => {
  const LONG = 'x'.repeat(101);
  test.each<[string, Record<string, unknown>]>([
    ['neither code nor token', { code: undefined }],
    ['both', { token: 'x' }],
    ['no name', { name: undefined }],
    ['an empty name', { name: ' ' }],
    ['a long name', { name: LONG }],
    ['a name of two lines', { name: 'a\nb' }],
    ['a name that turns the line around', { name: 'a\u202eb' }],
    ['a serial that is no text', { serial: 4711 }],
    ['an empty serial', { serial: '' }],
    ['labels that are a list', { labels: ['a'] }],
    ['a label with a capital', { labels: { Room: 'x' } }],
    ['a label with a comma', { labels: { room: 'a,b' } }],
    ['a label that is no text', { labels: { room: 1 } }],
    [
      'too many labels',
      { labels: Object.fromEntries(Array.from({ length: 21 }, (_, at) => [`l${at}`, ''])) },
    ],
    ['a short nonce', { nonce: 'x' }],
    ['a nonce with a line break', { nonce: 'abcdefghijklmnop\nq' }],
    ['a time that is a text', { created: '2030' }],
    ['a time with a fraction', { created: 1.5 }],
    ['a time before time', { created: -1 }],
    ['no proof', { proof: undefined }],
    ['something unknown', { admin: true }],
  ])('%s', async (_, change) => {
    await using api = temporaryApi();
    const { code } = await makePairing(api, await api.signIn());
    const answer = await redeemAt(api, { ...redemptionOf(api, { code }, newDeviceKey()), ...change });
    expect(await codeOf(answer)).toBe('422 invalid_body');
    expect(api.base.db.reader.all('SELECT * FROM devices')).toEqual([]);
  });
});

describe('guessing', () => {
  test('is limited per address', async () => {
    const clock = new ManualClock();
    await using api = temporaryApi({ clock, devices: { config: { redeems_per_address: 3 } } });
    const { code, token } = await makePairing(api, await api.signIn());
    const key = newDeviceKey();
    const guess = () => redeemAt(api, redemptionOf(api, { code: 'ABCD-EFGH' }, key));
    for (let guesses = 0; guesses < 3; guesses++) expect((await guess()).status).toBe(403);
    const limited = await guess();
    expect(limited.headers.get('retry-after')).toBe('300');
    expect(await codeOf(limited)).toBe('429 too_many_attempts');
    for (const presented of [{ code }, { token }])
      expect((await redeemAt(api, redemptionOf(api, presented, key))).status).toBe(429);
    await clock.advance(300_000);
    expect((await redeemAt(api, redemptionOf(api, { code }, key))).status).toBe(201);
    const told = api.base.auditStore
      .list({ limit: 20 })
      .filter(({ detail }) => detail?.['reason'] === 'rate_limited');
    expect(told).toHaveLength(1);
  });

  test('is limited in all; tokens, which nobody guesses, still work', async () => {
    await using api = temporaryApi({ devices: { config: { redeems: 2 } } });
    const ada = await api.signIn();
    const [{ code }, { token }] = [await makePairing(api, ada), await makePairing(api, ada)];
    for (let guesses = 0; guesses < 2; guesses++)
      await redeemAt(api, redemptionOf(api, { code: 'ABCD-EFGH' }, newDeviceKey()));
    const limited = await redeemAt(api, redemptionOf(api, { code }, newDeviceKey()));
    expect(await codeOf(limited)).toBe('429 too_many_attempts');
    expect((await redeemAt(api, redemptionOf(api, { token }, newDeviceKey()))).status).toBe(201);
  });

  test('what was no guess costs nothing', async () => {
    await using api = temporaryApi({ devices: { config: { redeems_per_address: 1, redeems: 1 } } });
    const ada = await api.signIn();
    const first = await pairDevice(api, ada, { serial: 'SN-1' });
    const { code } = await makePairing(api, ada);
    for (let tries = 0; tries < 3; tries++)
      expect((await redeemAt(api, redemptionOf(api, { code }, first.key))).status).toBe(409);
    expect((await redeemAt(api, redemptionOf(api, { code }, newDeviceKey()))).status).toBe(201);
  });
});

test('a store that takes nothing refuses for now, costs no try, and leaves the code good', async () => {
  await using api = temporaryApi({ devices: { config: { redeems_per_address: 1 } } });
  const ada = await api.signIn();
  const { code } = await makePairing(api, ada);
  const key = newDeviceKey();
  const setReadOnly = (on: boolean) =>
    api.base.db.reader.$client.run(`PRAGMA query_only = ${on ? 'ON' : 'OFF'}`);
  setReadOnly(true);
  for (let tries = 0; tries < 3; tries++) {
    const answer = await redeemAt(api, redemptionOf(api, { code }, key));
    expect(answer.headers.get('retry-after')).not.toBeNull();
    expect(await codeOf(answer)).toBe('503 store_unavailable');
  }
  const made = await api.call('/api/v1/pairings', { method: 'POST', cookie: ada.token });
  expect(await codeOf(made)).toBe('503 store_unavailable');
  setReadOnly(false);
  expect((await redeemAt(api, redemptionOf(api, { code }, key))).status).toBe(201);
  expect(api.base.metrics.render()).toContain('postern_pairings_total{outcome="created"} 1');
});

test('codes that nobody redeemed, and answers that nobody asks for again, are reaped', async () => {
  const clock = new ManualClock();
  await using api = temporaryApi({ clock });
  const ada = await api.signIn();
  await makePairing(api, ada);
  await clock.advance(5 * MINUTE);
  const device = await pairDevice(api, ada);
  const reap = () => api.base.db.write((tx) => api.devices.reapTask.deleteExpired(tx, clock.now(), 100));
  expect(await reap()).toBe(0);
  await clock.advance(5 * MINUTE);
  expect(await reap()).toBe(1);
  await clock.advance(5 * MINUTE);
  expect(await reap()).toBe(1);
  expect((await callSigned(api, device, 'GET', '/api/v1/device')).status).toBe(200);
});

test('a device that comes with a signature instead of a token is known as well', async () => {
  await using api = temporaryApi();
  const device = await pairDevice(api, await api.signIn());
  expect((await callSigned(api, device, 'GET', '/api/v1/device')).status).toBe(200);
});
