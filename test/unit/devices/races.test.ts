import { describe, expect, test } from 'bun:test';
import { newDeviceKey } from '../../../src/signatures/ed25519-key.ts';
import { temporaryApi } from '../../support/api.ts';
import {
  callSigned,
  codeOf,
  makePairing,
  type PairedAnswer,
  pairDevice,
  proofOf,
  redeemAt,
  redemptionOf,
  toTestDevice,
} from '../../support/pairing.ts';

const MANY = 100;
const NO_LIMIT = { devices: { config: { redeems_per_address: 1_000 } } };

const times = <T>(count: number, make: (at: number) => T): T[] =>
  Array.from({ length: count }, (_, at) => make(at));

describe('many redeems of one code at once', () => {
  test('by as many keys: one device; all others get the uniform refusal', async () => {
    await using api = temporaryApi(NO_LIMIT);
    const { code, token } = await makePairing(api, await api.signIn());
    const answers = await Promise.all(
      times(MANY, (at) =>
        redeemAt(api, redemptionOf(api, at % 2 === 0 ? { code } : { token }, newDeviceKey())),
      ),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    const refused = await Promise.all(answers.filter(({ status }) => status !== 201).map(codeOf));
    expect(new Set(refused)).toEqual(new Set(['403 pairing_refused']));
    expect(api.base.db.reader.all('SELECT id FROM devices')).toHaveLength(1);
    expect(api.base.db.reader.all("SELECT id FROM sessions WHERE kind = 'device'")).toHaveLength(1);
    expect(api.base.metrics.render()).toContain('postern_pairings_total{outcome="paired"} 1');
  });

  test('by one key: one device, and the newest token alone is good', async () => {
    await using api = temporaryApi(NO_LIMIT);
    const { code } = await makePairing(api, await api.signIn());
    const key = newDeviceKey();
    const answers = await Promise.all(times(20, () => redeemAt(api, redemptionOf(api, { code }, key))));
    const paired = (await Promise.all(answers.map((answer) => answer.json()))) as PairedAnswer[];
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
    expect(new Set(paired.map(({ device }) => device.id)).size).toBe(1);
    const known = await Promise.all(
      paired.map(({ session_token }) => api.call('/api/v1/device', { bearer: session_token as never })),
    );
    expect(known.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(api.base.db.reader.all("SELECT * FROM credentials WHERE use = 'device'")).toHaveLength(1);
  });

  test('of as many codes by one key, or one serial: one device', async () => {
    await using api = temporaryApi(NO_LIMIT);
    const ada = await api.signIn();
    const codes = await Promise.all(times(20, () => makePairing(api, ada)));
    const key = newDeviceKey();
    const answers = await Promise.all(
      codes.map(({ token }, at) =>
        redeemAt(api, redemptionOf(api, { token }, at % 2 === 0 ? key : newDeviceKey(), { serial: 'SN-1' })),
      ),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(19);
  });

  test('of as many codes for one name: handles of their own', async () => {
    await using api = temporaryApi(NO_LIMIT);
    const ada = await api.signIn();
    const devices = await Promise.all(times(20, () => pairDevice(api, ada, { name: 'pi' })));
    expect(new Set(devices.map(({ handle }) => handle)).size).toBe(20);
  });

  test('with a limit: guesses at the same time count before any is looked up', async () => {
    await using api = temporaryApi({ devices: { config: { redeems_per_address: 5 } } });
    await makePairing(api, await api.signIn());
    const key = newDeviceKey();
    const answers = await Promise.all(
      times(50, () => redeemAt(api, redemptionOf(api, { code: 'ABCD-EFGH' }, key))),
    );
    expect(answers.filter(({ status }) => status === 403)).toHaveLength(5);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(45);
  });
});

test('a key that was replaced meanwhile replaces no key any more', async () => {
  await using api = temporaryApi();
  const device = await pairDevice(api, await api.signIn());
  const created = Math.floor(api.base.clock.now() / 1_000);
  const keys = times(10, newDeviceKey);
  const answers = await Promise.all(
    keys.map((key) =>
      callSigned(api, device, 'POST', '/api/v1/device/key', proofOf(device.sessionId, key, created)),
    ),
  );
  const winner = answers.findIndex(({ status }) => status === 200);
  const refused = await Promise.all(answers.filter((_, at) => at !== winner).map(codeOf));
  expect(new Set(refused)).toEqual(new Set(['401 signature_invalid']));
  const verdicts = keys.map(
    async (key) => (await callSigned(api, { ...device, key }, 'GET', '/api/v1/device')).ok,
  );
  expect(await Promise.all(verdicts)).toEqual(keys.map((_, at) => at === winner));
});

describe('unpairing meanwhile', () => {
  test('while its device asks for the answer again: nothing of it works afterwards', async () => {
    await using api = temporaryApi(NO_LIMIT);
    const ada = await api.signIn();
    const key = newDeviceKey();
    const { code } = await makePairing(api, ada);
    const first = (await (await redeemAt(api, redemptionOf(api, { code }, key))).json()) as PairedAnswer;
    const asking = times(30, () => redeemAt(api, redemptionOf(api, { code }, key)));
    const unpaired = await api.call(`/api/v1/devices/${first.device.id}`, {
      method: 'DELETE',
      cookie: ada.token,
    });
    expect(unpaired.status).toBe(204);
    const answers = await Promise.all(asking);
    const given = (await Promise.all(
      answers.filter(({ status }) => status === 201).map((answer) => answer.json()),
    )) as PairedAnswer[];
    for (const { session_token } of [first, ...given]) {
      const answer = await api.call('/api/v1/device', { bearer: session_token as never });
      expect(answer.status).toBe(401);
    }
    const signed = await callSigned(api, toTestDevice(first, key), 'GET', '/api/v1/device');
    expect(await codeOf(signed)).toBe('401 device_not_paired');
    expect(await codeOf(await redeemAt(api, redemptionOf(api, { code }, key)))).toBe('403 pairing_refused');
  });

  test('while its session that made the code is ended: either paired before, or refused', async () => {
    await using api = temporaryApi(NO_LIMIT);
    for (let round = 0; round < 20; round++) {
      const ada = await api.signIn();
      const { code } = await makePairing(api, ada);
      const [answer] = await Promise.all([
        redeemAt(api, redemptionOf(api, { code }, newDeviceKey())),
        api.call('/api/v1/sessions?devices=true', { method: 'DELETE', cookie: ada.token }),
      ]);
      if (answer.status !== 201) {
        expect(await codeOf(answer)).toBe('403 pairing_refused');
        continue;
      }
      const { session_token } = (await answer.json()) as PairedAnswer;
      // It was let in before all sessions ended, and ended with them, or the other way round.
      const isLive = (await api.call('/api/v1/device', { bearer: session_token as never })).status === 200;
      expect(isLive).toBe((await api.base.ledger.list(ada.userId)).length > 0);
      expect(isLive).toBe(false);
    }
  });

  test('while it rotates its key, reports and reads: nothing of it works afterwards', async () => {
    await using api = temporaryApi();
    const ada = await api.signIn();
    for (let round = 0; round < 10; round++) {
      const device = await pairDevice(api, ada);
      const key = newDeviceKey();
      const created = Math.floor(api.base.clock.now() / 1_000);
      const busy = [
        callSigned(api, device, 'POST', '/api/v1/device/key', proofOf(device.sessionId, key, created)),
        ...times(5, () => callSigned(api, device, 'PATCH', '/api/v1/device', { version: '1' })),
        ...times(5, () => api.call('/api/v1/device', { bearer: device.token })),
      ];
      const unpaired = await api.call(`/api/v1/devices/${device.id}`, {
        method: 'DELETE',
        cookie: ada.token,
      });
      expect(unpaired.status).toBe(204);
      const [rotated] = await Promise.all(busy);
      for (const signer of [device, { ...device, key }]) {
        const answer = await callSigned(api, signer, 'GET', '/api/v1/device');
        expect(await codeOf(answer)).toBe('401 device_not_paired');
      }
      if (rotated?.status === 200) {
        const { session_token } = (await rotated.json()) as PairedAnswer;
        expect((await api.call('/api/v1/device', { bearer: session_token as never })).status).toBe(401);
      }
    }
  });
});
