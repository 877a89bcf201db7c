import { describe, expect, test } from 'bun:test';
import type { z } from 'zod';
import type { deviceDto, deviceListDto, ownDeviceDto } from '../../../src/devices/dto.ts';
import type { RevokeReason } from '../../../src/sessions/model.ts';
import { newDeviceKey } from '../../../src/signatures/ed25519-key.ts';
import { type SignedIn, type TemporaryApi, temporaryApi } from '../../support/api.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { callSigned, codeOf, pairDevice, proofOf, redeemAt, redemptionOf } from '../../support/pairing.ts';

async function list(api: TemporaryApi, { token }: SignedIn, query = ''): Promise<string[]> {
  const response = await api.call(`/api/v1/devices${query}`, { cookie: token });
  expect(response.status).toBe(200);
  return ((await response.json()) as z.output<typeof deviceListDto>).devices.map(({ handle }) => handle);
}

describe('my devices', () => {
  test('are listed by name, mine alone, and filtered by label', async () => {
    await using api = temporaryApi();
    const [ada, eve] = [await api.signIn(), await api.signIn()];
    await pairDevice(api, ada, { name: 'b', labels: { room: 'kitchen', floor: '1' } });
    await pairDevice(api, ada, { name: 'a', labels: { room: 'hall=way' } });
    await pairDevice(api, eve, { name: 'c', labels: { room: 'kitchen' } });
    expect(await list(api, ada)).toEqual(['a', 'b']);
    expect(await list(api, eve)).toEqual(['c']);
    expect(await list(api, ada, '?label=room=kitchen')).toEqual(['b']);
    expect(await list(api, ada, '?label=room')).toEqual(['a', 'b']);
    expect(await list(api, ada, '?label=room,floor')).toEqual(['b']);
    expect(await list(api, ada, '?label=room=hall=way')).toEqual(['a']);
    expect(await list(api, ada, '?label=room=')).toEqual([]);
    expect(await list(api, ada, '?label=constructor')).toEqual([]);
    for (const query of ['?label=', '?label=,', '?label=ROOM', '?label=room,', '?room=kitchen'])
      expect(await codeOf(await api.call(`/api/v1/devices${query}`, { cookie: ada.token }))).toBe(
        '422 invalid_query',
      );
  });

  test('tell what is seen of them beside what they report', async () => {
    const clock = new ManualClock();
    let isConnected = false;
    await using api = temporaryApi({ clock, devices: { isConnected: () => isConnected } });
    const ada = await api.signIn();
    const device = await pairDevice(api, ada);
    const get = async () => {
      const response = await api.call(`/api/v1/devices/${device.handle}`, { cookie: ada.token });
      return (await response.json()) as z.output<typeof deviceDto>;
    };
    expect(await get()).toMatchObject({
      id: device.id,
      user_id: ada.userId,
      session_id: device.sessionId,
      connected: false,
      last_seen_at: '2030-01-01T00:00:00.000Z',
      reported: null,
    });
    isConnected = true;
    await clock.advance(3_600_000);
    const state = { uptime: 12, mode: 'eco', ok: true };
    const report = { version: '1.2.3', state };
    expect((await callSigned(api, device, 'PATCH', '/api/v1/device', report)).status).toBe(200);
    await clock.advance(3_600_000);
    expect(await get()).toMatchObject({
      connected: true,
      last_seen_at: '2030-01-01T01:00:00.000Z',
      reported: { at: '2030-01-01T01:00:00.000Z', ...report },
    });
    expect((await callSigned(api, device, 'PATCH', '/api/v1/device', {})).status).toBe(200);
    expect((await get()).reported).toEqual({ at: '2030-01-01T02:00:00.000Z', version: null, state: null });
  });

  test('are renamed and relabelled; the handle stays', async () => {
    await using api = temporaryApi();
    const ada = await api.signIn();
    const device = await pairDevice(api, ada, { name: 'Pi', labels: { room: 'hall' } });
    const patch = (json: unknown, which = device.handle) =>
      api.call(`/api/v1/devices/${which}`, { method: 'PATCH', cookie: ada.token, json });
    const renamed = await patch({ name: 'Kitchen' });
    expect(await renamed.json()).toMatchObject({ name: 'Kitchen', handle: 'pi', labels: { room: 'hall' } });
    const relabelled = await patch({ labels: { floor: '2' } }, device.id);
    expect(await relabelled.json()).toMatchObject({ name: 'Kitchen', handle: 'pi', labels: { floor: '2' } });
    expect((await api.base.ledger.find(device.sessionId))?.label).toBe('Kitchen');
    const own = await api.call('/api/v1/device', { bearer: device.token });
    expect(await own.json()).toMatchObject({ name: 'Kitchen', labels: { floor: '2' } });
    expect(api.base.auditStore.list({ limit: 1 })[0]).toMatchObject({
      action: 'device.changed',
      actorUserId: ada.userId,
      subjectUserId: ada.userId,
      sessionId: device.sessionId,
      detail: { device: device.id, fields: 'labels' },
    });
    for (const json of [{}, { handle: 'x' }, { name: '' }, { labels: null }, [], 'x', { user_id: 'usr_x' }])
      expect(await codeOf(await patch(json))).toBe('422 invalid_body');
  });

  test('of somebody else look as if there were none', async () => {
    await using api = temporaryApi();
    const [ada, eve] = [await api.signIn(), await api.signIn()];
    const device = await pairDevice(api, ada);
    for (const which of [
      device.id,
      device.handle,
      'dev_aaaaaaaaaaaaaaaaaaaaaaaaaa',
      'nothing',
      '-',
      'a--b',
      'A',
    ]) {
      for (const options of [{}, { method: 'DELETE' }, { method: 'PATCH', json: { name: 'mine' } }]) {
        const answer = await api.call(`/api/v1/devices/${which}`, { cookie: eve.token, ...options });
        expect(await codeOf(answer)).toBe('404 not_found');
      }
    }
    expect(await list(api, ada)).toEqual([device.handle]);
  });

  test('are read and changed by personal tokens that name the scope', async () => {
    await using api = temporaryApi();
    const ada = await api.signIn();
    const device = await pairDevice(api, ada);
    const { token: reads } = await api.makeToken(ada, { scopes: ['devices:read'] });
    const { token: writes } = await api.makeToken(ada, { scopes: ['devices:write'] });
    const path = `/api/v1/devices/${device.id}`;
    expect((await api.call('/api/v1/devices', { bearer: reads })).status).toBe(200);
    expect((await api.call(path, { bearer: reads })).status).toBe(200);
    expect(await codeOf(await api.call(path, { bearer: writes }))).toBe('401 invalid_token');
    expect(await codeOf(await api.call(path, { method: 'DELETE', bearer: reads }))).toBe('401 invalid_token');
    expect(await codeOf(await api.call('/api/v1/devices', { bearer: device.token }))).toBe(
      '401 invalid_token',
    );
    const patched = await api.call(path, { method: 'PATCH', bearer: writes, json: { name: 'x' } });
    expect(patched.status).toBe(200);
    expect((await api.call(path, { method: 'DELETE', bearer: writes })).status).toBe(204);
  });
});

describe('owners', () => {
  test('see and unpair the devices of anybody; others do not', async () => {
    await using api = temporaryApi();
    const [owner, ada] = [await api.signInOwner(), await api.signIn()];
    const device = await pairDevice(api, ada);
    const path = `/api/v1/users/${ada.userId}/devices`;
    const listed = await api.call(path, { cookie: owner.token });
    expect(await listed.json()).toMatchObject({ devices: [{ id: device.id, user_id: ada.userId }] });
    expect(await codeOf(await api.call(path, { cookie: ada.token }))).toBe('403 owner_required');
    const nobody = path.replace(ada.userId, 'usr_aaaaaaaaaaaaaaaaaaaaaaaaaa');
    expect((await api.call(nobody, { cookie: owner.token })).status).toBe(404);
    const other = path.replace(ada.userId, owner.userId);
    const unpair = (where: string, cookie: typeof ada.token) =>
      api.call(`${where}/${device.handle}`, { method: 'DELETE', cookie });
    expect(await codeOf(await unpair(path, ada.token))).toBe('403 owner_required');
    expect((await unpair(other, owner.token)).status).toBe(404);
    expect((await unpair(path, owner.token)).status).toBe(204);
    expect((await api.base.ledger.find(device.sessionId))?.revokeReason).toBe('ended_by_owner');
    expect(await list(api, ada)).toEqual([]);
  });
});

describe('a device', () => {
  test('knows itself by its token alone', async () => {
    await using api = temporaryApi();
    const device = await pairDevice(api, await api.signIn());
    const answer = await api.call('/api/v1/device', { bearer: device.token });
    expect((await answer.json()) as z.output<typeof ownDeviceDto>).toMatchObject({
      id: device.id,
      session_id: device.sessionId,
      public_key: device.key.publicKey,
      tunnel_url: 'wss://auth.example.test/api/v1/device/tunnel',
    });
  });

  test('changes nothing with its token alone', async () => {
    await using api = temporaryApi();
    const device = await pairDevice(api, await api.signIn());
    const proof = proofOf(device.sessionId, newDeviceKey(), Math.floor(api.base.clock.now() / 1_000));
    for (const options of [
      { path: '/api/v1/device', method: 'PATCH', json: { version: '1' } },
      { path: '/api/v1/device', method: 'DELETE' },
      { path: '/api/v1/device/key', method: 'POST', json: proof },
    ]) {
      const { path, ...rest } = options;
      expect(await codeOf(await api.call(path, { ...rest, bearer: device.token }))).toBe(
        '401 signature_missing',
      );
    }
    expect((await api.call('/api/v1/device', { bearer: device.token })).status).toBe(200);
  });

  test('is nobody anywhere else', async () => {
    await using api = temporaryApi();
    const device = await pairDevice(api, await api.signIn());
    for (const path of ['/api/v1/session', '/api/v1/sessions', '/api/v1/audit', '/api/v1/devices']) {
      expect(await codeOf(await api.call(path, { bearer: device.token }))).toBe('401 invalid_token');
      expect(await codeOf(await callSigned(api, device, 'GET', path))).toBe('401 not_signed_in');
      expect(await codeOf(await api.call(path, { cookie: device.token }))).toBe('401 not_signed_in');
    }
    const paired = await api.call('/api/v1/pairings', { method: 'POST', bearer: device.token });
    expect(await codeOf(paired)).toBe('403 browser_session_required');
  });

  test('and a browser session or personal token is no device', async () => {
    await using api = temporaryApi();
    const ada = await api.signIn();
    const { token } = await api.makeToken(ada, { scopes: ['devices:read', 'devices:write'] });
    expect(await codeOf(await api.call('/api/v1/device', { bearer: token }))).toBe('401 invalid_token');
    expect(await codeOf(await api.call('/api/v1/device', { cookie: ada.token }))).toBe('401 token_required');
    const key = newDeviceKey();
    const signed = await callSigned(api, { key, sessionId: ada.sessionId }, 'GET', '/api/v1/device');
    expect(await codeOf(signed)).toBe('401 device_not_paired');
  });

  test.each([
    ['a list', []],
    ['a long version', { version: 'x'.repeat(65) }],
    ['a version of two lines', { version: 'a\nb' }],
    ['a nested state', { state: { a: { b: 1 } } }],
    [
      'a state with too many entries',
      { state: Object.fromEntries(Array.from({ length: 33 }, (_, at) => [`k${at}`, at])) },
    ],
    ['a state with a long text', { state: { a: 'x'.repeat(257) } }],
    ['something unknown', { connected: true }],
  ])('reports nothing with %s', async (_, json) => {
    await using api = temporaryApi();
    const device = await pairDevice(api, await api.signIn());
    const answer = await callSigned(api, device, 'PATCH', '/api/v1/device', json);
    expect(await codeOf(answer)).toBe('422 invalid_body');
  });

  test('unpairs itself', async () => {
    await using api = temporaryApi();
    const ada = await api.signIn();
    const device = await pairDevice(api, ada);
    expect((await callSigned(api, device, 'DELETE', '/api/v1/device')).status).toBe(204);
    expect(await list(api, ada)).toEqual([]);
    expect(await codeOf(await callSigned(api, device, 'GET', '/api/v1/device'))).toBe(
      '401 device_not_paired',
    );
  });
});

describe('a new key', () => {
  test('takes the place of the old one, and brings a new token', async () => {
    await using api = temporaryApi();
    const device = await pairDevice(api, await api.signIn());
    const key = newDeviceKey();
    const now = Math.floor(api.base.clock.now() / 1_000);
    const rotate = (by: typeof device, next = key) =>
      callSigned(api, by, 'POST', '/api/v1/device/key', proofOf(device.sessionId, next, now));
    const answer = (await (await rotate(device)).json()) as { session_token: never; device: unknown };
    expect(answer).toMatchObject({ device: { id: device.id, public_key: key.publicKey } });
    expect(await codeOf(await rotate(device))).toBe('401 signature_invalid');
    expect(await codeOf(await api.call('/api/v1/device', { bearer: device.token }))).toBe(
      '401 invalid_token',
    );
    const renewed = { ...device, key };
    expect((await callSigned(api, renewed, 'GET', '/api/v1/device')).status).toBe(200);
    expect((await api.call('/api/v1/device', { bearer: answer.session_token })).status).toBe(200);
    expect(api.base.auditStore.list({ limit: 5 })).toContainEqual(
      expect.objectContaining({
        action: 'device.key_rotated',
        sessionId: device.sessionId,
        detail: { device: device.id },
      }),
    );

    // The answer got lost: the device asks again with the key that it made.
    const again = (await (await rotate(renewed)).json()) as { session_token: never };
    expect((await api.call('/api/v1/device', { bearer: again.session_token })).status).toBe(200);
    expect((await api.call('/api/v1/device', { bearer: answer.session_token })).status).toBe(401);
    expect(api.base.metrics.render()).toContain('postern_device_keys_rotated_total 1');
    expect(api.base.auditStore.list({ limit: 1 })[0]).toMatchObject({
      action: 'device.token_repeated',
      sessionId: device.sessionId,
      detail: { device: device.id },
    });
  });

  test('is proven, not in use, and a key', async () => {
    await using api = temporaryApi();
    const ada = await api.signIn();
    const [device, other] = [await pairDevice(api, ada), await pairDevice(api, ada)];
    const key = newDeviceKey();
    const now = Math.floor(api.base.clock.now() / 1_000);
    const rotate = (json: unknown) => callSigned(api, device, 'POST', '/api/v1/device/key', json);
    const good = proofOf(device.sessionId, key, now);
    expect(await codeOf(await rotate(proofOf(other.sessionId, key, now)))).toBe('401 proof_invalid');
    expect(await codeOf(await rotate(proofOf(device.sessionId, key, now - 61)))).toBe('401 proof_stale');
    expect(await codeOf(await rotate(proofOf(device.sessionId, key, now + 31)))).toBe('401 proof_future');
    expect(await codeOf(await rotate({ ...good, public_key: 'AAAA' }))).toBe('422 bad_public_key');
    expect(await codeOf(await rotate({ ...good, name: 'x' }))).toBe('422 invalid_body');
    expect(await codeOf(await rotate(proofOf(device.sessionId, other.key, now)))).toBe('409 key_in_use');
    expect((await callSigned(api, device, 'GET', '/api/v1/device')).status).toBe(200);
    expect((await api.call('/api/v1/device', { bearer: device.token })).status).toBe(200);
  });

  test('ends what the code of the old one was good for', async () => {
    await using api = temporaryApi();
    const ada = await api.signIn();
    const made = await api.call('/api/v1/pairings', { method: 'POST', cookie: ada.token });
    const { code } = (await made.json()) as { code: string };
    const old = newDeviceKey();
    const paired = (await (await redeemAt(api, redemptionOf(api, { code }, old))).json()) as {
      session_id: never;
    };
    const key = newDeviceKey();
    const now = Math.floor(api.base.clock.now() / 1_000);
    const signer = { key: old, sessionId: paired.session_id };
    await callSigned(api, signer, 'POST', '/api/v1/device/key', proofOf(paired.session_id, key, now));
    expect(await codeOf(await redeemAt(api, redemptionOf(api, { code }, old)))).toBe('403 pairing_refused');
    expect((await redeemAt(api, redemptionOf(api, { code }, key))).status).toBe(201);
  });
});

describe('unpairing', () => {
  test('ends everything of the device in one transaction, and what hangs on it is closed', async () => {
    await using api = temporaryApi();
    const ada = await api.signIn();
    const device = await pairDevice(api, ada, { serial: 'SN-1' });
    const { ledger, db } = api.base;
    const guest = await db.write((tx) =>
      ledger.openGuestSession(tx, {
        parentId: device.sessionId,
        linkId: 'gst_1',
        host: 'web--kitchen-pi.devices.example.test',
        expiresAt: api.base.clock.now() + 3_600_000,
        origin: { provider: undefined, providerSid: undefined, address: undefined, userAgent: undefined },
      }),
    );
    const told: string[] = [];
    const closed: (RevokeReason | 'expired')[] = [];
    api.devices.devices.whenUnpairing((_, devices, reason) => {
      for (const { id } of devices) told.push(`${id} ${reason}`);
    });
    ledger.attach(device.sessionId, (reason) => closed.push(reason));
    expect(
      (await api.call(`/api/v1/devices/${device.id}`, { method: 'DELETE', cookie: ada.token })).status,
    ).toBe(204);
    expect(told).toEqual([`${device.id} unpaired`]);
    expect(closed).toEqual(['unpaired']);
    expect(await ledger.find(guest.session.id)).toMatchObject({
      status: 'revoked',
      revokeReason: 'parent_ended',
    });
    expect(db.reader.all('SELECT * FROM pairings')).toEqual([]);
    expect(await codeOf(await callSigned(api, device, 'GET', '/api/v1/device'))).toBe(
      '401 device_not_paired',
    );
    expect(await codeOf(await api.call('/api/v1/device', { bearer: device.token }))).toBe(
      '401 invalid_token',
    );
    expect(
      (await api.call(`/api/v1/devices/${device.id}`, { method: 'DELETE', cookie: ada.token })).status,
    ).toBe(404);
    const actions = api.base.auditStore.list({ limit: 9 }).map(({ action, detail }) => ({ action, detail }));
    expect(actions).toContainEqual({
      action: 'device.unpaired',
      detail: { device: device.id, reason: 'unpaired' },
    });
    expect(api.base.metrics.render()).toContain('postern_devices_unpaired_total 1');
    expect(api.base.metrics.render()).toContain('postern_devices 0');
    await pairDevice(api, ada, { serial: 'SN-1' }, device.key);
  });

  test('where a hook throws, nothing has happened', async () => {
    await using api = temporaryApi();
    const ada = await api.signIn();
    const device = await pairDevice(api, ada);
    let fails = true;
    api.devices.devices.whenUnpairing(() => {
      if (fails) throw new Error('not now');
    });
    const unpair = () => {
      const found = api.devices.devices.find(device.id);
      return found === undefined ? Promise.resolve(false) : api.devices.devices.unpair(found, {});
    };
    expect(await unpair().catch((error: Error) => error.message)).toBe('not now');
    expect((await callSigned(api, device, 'GET', '/api/v1/device')).status).toBe(200);
    fails = false;
    expect(await unpair()).toBe(true);
    expect(await unpair()).toBe(false);
  });
});

describe('what an act ends (the table of the design)', () => {
  const isPaired = async (api: TemporaryApi, device: Awaited<ReturnType<typeof pairDevice>>) => {
    const answers = [
      await callSigned(api, device, 'GET', '/api/v1/device'),
      await api.call('/api/v1/device', { bearer: device.token }),
    ];
    const found = api.devices.devices.find(device.id) !== undefined;
    const all = [found, ...answers.map(({ status }) => status === 200)];
    expect(new Set(all).size).toBe(1);
    return found;
  };

  test('signing out, and ending all other sessions, leaves devices', async () => {
    await using api = temporaryApi();
    const ada = await api.signIn();
    const device = await pairDevice(api, ada);
    const other = await api.signIn(ada.userId);
    await api.call('/api/v1/session', { method: 'DELETE', cookie: ada.token });
    expect(await isPaired(api, device)).toBe(true);
    await api.call('/api/v1/sessions?keep=current', { method: 'DELETE', cookie: other.token });
    expect(await isPaired(api, device)).toBe(true);
  });

  test('"everywhere" ends devices when they are asked for', async () => {
    await using api = temporaryApi();
    const ada = await api.signIn();
    const device = await pairDevice(api, ada);
    await api.call('/api/v1/sessions', { method: 'DELETE', cookie: ada.token });
    expect(await isPaired(api, device)).toBe(true);
    const again = await api.signIn(ada.userId);
    await api.call('/api/v1/sessions?devices=true', { method: 'DELETE', cookie: again.token });
    expect(await isPaired(api, device)).toBe(false);
  });

  test('a person who is disabled keeps devices unless they are asked for; nobody else comes in with them', async () => {
    await using api = temporaryApi();
    const ada = await api.signIn();
    const [device, second] = [await pairDevice(api, ada), await pairDevice(api, ada)];
    const { acts } = api.accounts.people;
    await acts.disable(ada.userId, {});
    expect(await isPaired(api, device)).toBe(true);
    const { ledger, db, clock } = api.base;
    const guest = db.write((tx) =>
      ledger.openGuestSession(tx, {
        parentId: device.sessionId,
        linkId: 'gst_1',
        host: 'web--pi.devices.example.test',
        expiresAt: clock.now() + 1_000,
        origin: { provider: undefined, providerSid: undefined, address: undefined, userAgent: undefined },
      }),
    );
    expect(await guest.catch((error: Error & { code: string }) => error.code)).toBe('user_disabled');
    await acts.disable(ada.userId, {}, { devices: true });
    expect(await isPaired(api, device)).toBe(false);
    expect(await isPaired(api, second)).toBe(false);
  });

  test('a person who is removed takes devices along, rows and all', async () => {
    await using api = temporaryApi();
    const ada = await api.signIn();
    const device = await pairDevice(api, ada);
    const told: string[] = [];
    api.devices.devices.whenUnpairing((_, devices) => told.push(...devices.map(({ id }) => id)));
    await api.accounts.people.acts.remove(ada.userId, {});
    expect(await isPaired(api, device)).toBe(false);
    expect(told).toEqual([device.id]);
    expect(api.base.db.reader.all('SELECT * FROM devices')).toEqual([]);
  });

  test('ending the session of a device, by its person or an owner, unpairs it', async () => {
    await using api = temporaryApi();
    const [owner, ada] = [await api.signInOwner(), await api.signIn()];
    const [one, two] = [await pairDevice(api, ada), await pairDevice(api, ada)];
    const ended = await api.call(`/api/v1/sessions/${one.sessionId}`, {
      method: 'DELETE',
      cookie: ada.token,
    });
    expect(ended.status).toBe(204);
    expect(await isPaired(api, one)).toBe(false);
    const path = `/api/v1/users/${ada.userId}/sessions/${two.sessionId}`;
    expect((await api.call(path, { method: 'DELETE', cookie: owner.token })).status).toBe(204);
    expect(await isPaired(api, two)).toBe(false);
  });

  test('time does not: a device that was silent for years is still paired', async () => {
    const clock = new ManualClock();
    await using api = temporaryApi({ clock });
    const ada = await api.signIn();
    const device = await pairDevice(api, ada);
    await clock.advance(3 * 365 * 86_400_000);
    expect(await isPaired(api, device)).toBe(true);
  });
});

test('sessions of devices are listed as such, with their device', async () => {
  await using api = temporaryApi();
  const ada = await api.signIn();
  const device = await pairDevice(api, ada, { name: 'Pi' });
  const answer = await api.call('/api/v1/sessions', { cookie: ada.token });
  const { sessions } = (await answer.json()) as { sessions: { kind: string }[] };
  expect(sessions.find(({ kind }) => kind === 'device')).toMatchObject({
    id: device.sessionId,
    label: 'Pi',
    device_id: device.id,
    guest_link_id: null,
    client_id: null,
    expires_at: null,
    current: false,
  });
});
