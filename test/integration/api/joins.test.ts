import { describe, expect, test } from 'bun:test';
import { readTypedCode } from '../../../src/lib/typed-code.ts';
import { newDeviceKey } from '../../../src/signatures/ed25519-key.ts';
import {
  type SignedIn,
  type TemporaryApi,
  type TemporaryApiOptions,
  temporaryApi,
} from '../../support/api.ts';
import { TEST_ORIGIN } from '../../support/ledger.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { codeOf, type PairedAnswer, proofOf } from '../../support/pairing.ts';

interface Begun {
  device_code: string;
  user_code: string;
  verification_uri: string;
  expires_in: number;
  interval: number;
}

function begin(options: TemporaryApiOptions = {}) {
  const clock = new ManualClock();
  const api = temporaryApi({ clock, ...options });
  const post = (path: string, json: unknown) => api.call(path, { method: 'POST', json });
  const device = (key = newDeviceKey()) => {
    const prove = (presented: string) => proofOf(presented, key, Math.floor(clock.now() / 1_000));
    const ask = (more: Record<string, unknown> = {}) =>
      post('/api/v1/pairings/requests', { name: 'Garage', ...prove('join'), ...more });
    return {
      ask,
      begin: async () => (await (await ask()).json()) as Begun,
      redeem: (device_code: string, more: Record<string, unknown> = {}) =>
        post('/api/v1/pairings/requests/redeem', { device_code, ...prove(device_code), ...more }),
    };
  };
  return { api, clock, device, [Symbol.asyncDispose]: () => api[Symbol.asyncDispose]() };
}

async function letIn({ devices }: TemporaryApi, { user_code }: Begun, { userId, sessionId }: SignedIn) {
  const asking = devices.joins.find(readTypedCode(user_code) ?? '');
  if (asking === undefined) throw new Error('nobody asks with this code');
  await devices.joins.approve(asking, { userId, sessionId });
}

test('a device asks, waits, and is answered as if it had redeemed a code', async () => {
  await using t = begin();
  const ada = await t.api.signIn();
  const device = t.device();
  const begun = await device.begin();
  expect(begun).toMatchObject({ verification_uri: `${TEST_ORIGIN}/device`, expires_in: 600, interval: 5 });
  expect(await codeOf(await device.redeem(begun.device_code))).toBe('400 authorization_pending');
  expect(await codeOf(await device.redeem(begun.device_code))).toBe('400 slow_down');
  await letIn(t.api, begun, ada);
  const answer = await device.redeem(begun.device_code);
  expect(answer.status).toBe(201);
  const paired = (await answer.json()) as PairedAnswer;
  expect(paired.device).toMatchObject({ name: 'Garage', handle: 'garage' });
  const own = await t.api.call('/api/v1/device', {
    headers: { authorization: `Bearer ${paired.session_token}` },
  });
  expect(own.status).toBe(200);
  const listed = await t.api.call('/api/v1/devices', { cookie: ada.token });
  expect(await listed.json()).toMatchObject({ devices: [{ id: paired.device.id, user_id: ada.userId }] });
});

describe('a request to be let in', () => {
  test.each([
    ['without a name', { name: undefined }, '422 invalid_body'],
    ['with an empty name', { name: ' ' }, '422 invalid_body'],
    ['with a name of two lines', { name: 'a\nb' }, '422 invalid_body'],
    ['with a member that nobody knows', { admin: true }, '422 invalid_body'],
    ['with labels that are a list', { labels: ['a'] }, '422 invalid_body'],
    ['without a key', { public_key: undefined }, '422 invalid_body'],
    ['with a key in PEM', { public_key: '-----BEGIN PUBLIC KEY-----' }, '422 bad_public_key'],
    ['with a short key', { public_key: 'AAAA' }, '422 bad_public_key'],
    ['with another key', { public_key: newDeviceKey().publicKey }, '401 proof_invalid'],
    ['with a time that is a text', { created: 'now' }, '422 invalid_body'],
    ['from long ago', { created: 1 }, '401 proof_stale'],
    ['with a short nonce', { nonce: 'x' }, '422 invalid_body'],
    ['with a proof that is none', { proof: '' }, '401 proof_invalid'],
  ])('%s is refused', async (_, odd, refusal) => {
    await using t = begin();
    expect(await codeOf(await t.device().ask(odd))).toBe(refusal);
  });

  test('over the limits is refused', async () => {
    await using t = begin({ devices: { config: { joins_per_address: 1 } } });
    await t.device().begin();
    const limited = await t.device().ask();
    expect(limited.headers.has('retry-after')).toBe(true);
    expect(await codeOf(limited)).toBe('429 too_many_joins');
    await using full = begin({ devices: { config: { joins: 1 } } });
    await full.device().begin();
    expect(await codeOf(await full.device().ask())).toBe('503 too_many_joins');
  });
});

describe('the answer', () => {
  test.each([
    ['a code that nobody has', { device_code: 'x'.repeat(43) }, '403 pairing_refused'],
    ['no code', { device_code: undefined }, '422 invalid_body'],
    ['a proof over another text', { ...proofOf('join', newDeviceKey(), 0) }, '403 pairing_refused'],
    ['a member that nobody knows', { name: 'x' }, '422 invalid_body'],
  ])('to %s is refused', async (_, odd, refusal) => {
    await using t = begin();
    const device = t.device();
    const { device_code } = await device.begin();
    expect(await codeOf(await device.redeem(device_code, odd))).toBe(refusal);
  });

  test('is for who asked, and comes too late some day', async () => {
    await using t = begin();
    const device = t.device();
    const begun = await device.begin();
    await letIn(t.api, begun, await t.api.signIn());
    expect(await codeOf(await t.device().redeem(begun.device_code))).toBe('403 pairing_refused');
    const late = t.device();
    const forgotten = await late.begin();
    await t.clock.advance(600_000);
    expect(await codeOf(await late.redeem(forgotten.device_code))).toBe('400 expired_token');
  });

  test('is a conflict where a paired device has the serial by then', async () => {
    await using t = begin();
    const ada = await t.api.signIn();
    const [one, other] = [t.device(), t.device()];
    const [first, second] = await Promise.all(
      [one, other].map(async ({ ask }) => (await (await ask({ serial: 'A1' })).json()) as Begun),
    );
    if (first === undefined || second === undefined) throw new Error('nothing was begun');
    await letIn(t.api, first, ada);
    await letIn(t.api, second, ada);
    expect((await one.redeem(first.device_code)).status).toBe(201);
    expect(await codeOf(await other.redeem(second.device_code))).toBe('409 serial_in_use');
  });
});
