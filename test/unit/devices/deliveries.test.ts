import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { type SignedIn, type TemporaryApi, temporaryApi } from '../../support/api.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { callSigned, codeOf, pairDevice, type TestDevice } from '../../support/pairing.ts';

let clock: ManualClock;
let api: TemporaryApi;
let ada: SignedIn;
let board: TestDevice;

beforeEach(async () => {
  clock = new ManualClock();
  const config = { deliveries_per_device: 40, delivery_max_bytes: 100 };
  api = temporaryApi({ clock, devices: { config } });
  ada = await api.signIn();
  board = await pairDevice(api, ada, { name: 'board' });
});

afterEach(() => api[Symbol.asyncDispose]());

interface Delivery {
  id: string;
  sequence: number;
  status: string;
  body: unknown;
  note: string | null;
}

const path = () => `/api/v1/devices/${board.handle}/deliveries`;
const post = (json: unknown, cookie = ada.token) => api.call(path(), { method: 'POST', cookie, json });

async function queue(body: unknown, more: Record<string, unknown> = {}): Promise<Delivery> {
  const response = await post({ body, ...more });
  expect(response.status).toBe(201);
  return (await response.json()) as Delivery;
}

async function list(): Promise<Delivery[]> {
  const response = await api.call(path(), { cookie: ada.token });
  return ((await response.json()) as { deliveries: Delivery[] }).deliveries;
}

async function take(device = board): Promise<Delivery[]> {
  const response = await api.call('/api/v1/device/deliveries', { bearer: device.token });
  expect(response.status).toBe(200);
  return ((await response.json()) as { deliveries: Delivery[] }).deliveries;
}

const receipt = (id: string, json: unknown = { outcome: 'done' }, device = board) =>
  callSigned(api, device, 'POST', `/api/v1/device/deliveries/${id}/receipt`, json);

const cancel = (id: string, cookie = ada.token) => api.call(`${path()}/${id}`, { method: 'DELETE', cookie });

describe('unpairing in the same moment', () => {
  const found = () => {
    const device = api.devices.devices.find(board.id);
    if (device === undefined) throw new Error('it is not paired');
    return device;
  };
  const unpair = (device = found()) => api.devices.devices.unpair(device, {});

  test('leaves nothing that waits for a device which is gone', async () => {
    const device = found();
    const by = { userId: ada.userId };
    const [, queued] = await Promise.allSettled([
      unpair(device),
      api.devices.deliveries.queue(device, { body: 1, lifetimeMs: undefined }, by),
    ]);
    expect(queued).toMatchObject({ status: 'rejected', reason: { code: 'not_found' } });
    expect(api.base.db.reader.all("SELECT id FROM deliveries WHERE status = 'queued'")).toEqual([]);
  });

  test('keeps back what its device had asked for already', async () => {
    await queue('secret');
    const device = found();
    const [, taken] = await Promise.all([unpair(device), api.devices.deliveries.take(device)]);
    expect(taken).toEqual([]);
  });
});

describe('deliveries', () => {
  test('wait, arrive in order, and are receipted once', async () => {
    const bodies = [{ set: 'eco' }, null, 7, ['a', { b: [] }], 'text'];
    for (const body of bodies) await queue(body);
    expect((await list()).map(({ status }) => status)).toEqual(Array(5).fill('queued'));
    const taken = await take();
    expect(taken.map(({ body }) => body)).toEqual(bodies);
    expect(taken.map(({ sequence }) => sequence)).toEqual(
      taken.map(({ sequence }) => sequence).toSorted((a, b) => a - b),
    );
    expect((await list()).map(({ status }) => status)).toEqual(Array(5).fill('handed_out'));
    const [first, second, third] = taken.map(({ id }) => id);
    expect((await receipt(first ?? '', { outcome: 'done' })).status).toBe(204);
    expect((await receipt(second ?? '', { outcome: 'failed', note: 'no such mode' })).status).toBe(204);
    expect((await take()).map(({ id }) => id)[0]).toBe(third ?? '');
    expect((await list()).toReversed().slice(0, 2)).toMatchObject([
      { status: 'done', note: null },
      { status: 'failed', note: 'no such mode' },
    ]);
  });

  test('come again until their receipt has come; the answer to it may be lost', async () => {
    const { id } = await queue(1);
    expect((await take()).map((each) => each.id)).toEqual([id]);
    expect((await take()).map((each) => each.id)).toEqual([id]);
    expect((await receipt(id)).status).toBe(204);
    expect((await receipt(id)).status).toBe(204);
    expect(await codeOf(await receipt(id, { outcome: 'failed' }))).toBe('409 delivery_settled');
    expect(await take()).toEqual([]);
  });

  test('are asked for without writing anything, but for the first time', async () => {
    await queue(1);
    await take();
    const before = api.base.db.reader.$client.query('select total_changes() as n').get();
    await take();
    await take();
    expect(api.base.db.reader.$client.query('select total_changes() as n').get()).toEqual(before);
    const [only] = await list();
    expect(only).toMatchObject({ handed_out_at: '2030-01-01T00:00:00.000Z' });
  });

  test('arrive no more than 32 at once', async () => {
    for (let each = 0; each < 40; each++) await queue(each);
    const first = await take();
    expect(first.map(({ body }) => body)).toEqual(Array.from({ length: 32 }, (_, each) => each));
    for (const { id } of first) await receipt(id);
    expect((await take()).map(({ body }) => body)).toEqual(Array.from({ length: 8 }, (_, each) => each + 32));
  });

  test('run out', async () => {
    const { id } = await queue('soon', { expires_in: 60 });
    await queue('later');
    await clock.advance(60_000);
    expect((await take()).map(({ body }) => body)).toEqual(['later']);
    expect((await list()).map(({ status }) => status)).toEqual(['handed_out', 'expired']);
    expect(await codeOf(await receipt(id))).toBe('409 delivery_settled');
    expect((await cancel(id)).status).toBe(404);
  });

  test('that ran out on the device can still be answered for', async () => {
    const { id } = await queue('soon', { expires_in: 60 });
    await take();
    await clock.advance(61_000);
    expect((await receipt(id)).status).toBe(204);
    expect((await list())[0]).toMatchObject({ status: 'done' });
  });

  test('are cancelled', async () => {
    const { id } = await queue('wrong');
    expect((await cancel(id)).status).toBe(204);
    expect((await cancel(id)).status).toBe(404);
    expect(await take()).toEqual([]);
    expect((await list())[0]).toMatchObject({ status: 'cancelled' });
    expect(await codeOf(await receipt(id))).toBe('409 delivery_settled');
  });

  test('are cancelled when the device is unpaired, and none waits for who comes next', async () => {
    await queue('old');
    await api.call(`/api/v1/devices/${board.handle}`, { method: 'DELETE', cookie: ada.token });
    expect((await api.call('/api/v1/device/deliveries', { bearer: board.token })).status).toBe(401);
    expect((await post({ body: 1 })).status).toBe(404);
    const next = await pairDevice(api, ada, { name: 'board' });
    expect(await take(next)).toEqual([]);
    const text = api.base.metrics.render();
    expect(text).toContain('postern_deliveries_total{event="cancelled"} 1');
    expect(text).toContain('postern_deliveries_waiting 0');
  });

  test('tell whoever asked that something waits', async () => {
    const told: string[] = [];
    api.devices.deliveries.whenQueued((id) => told.push(id));
    await queue(1);
    expect(told).toEqual([board.id]);
  });

  test('are gone some days after they were settled', async () => {
    const { id } = await queue(1);
    await queue(2, { expires_in: 60 });
    await receipt(id);
    const reap = () =>
      api.base.db.write((tx) => api.devices.deliveries.reapTask.deleteExpired(tx, clock.now(), 100));
    await clock.advance(6 * 86_400_000);
    expect(await reap()).toBe(0);
    await clock.advance(86_400_000 + 60_000);
    expect(await reap()).toBe(2);
    ada = await api.signIn(ada.userId);
    expect(await list()).toEqual([]);
  });

  test('that are settled are kept only so far', async () => {
    const { devices, deliveries } = api.devices;
    const device = devices.requireOf({ id: ada.userId }, board.handle);
    const by = { userId: ada.userId };
    for (let each = 0; each < 230; each++) {
      const { id } = await deliveries.queue(device, { body: each, lifetimeMs: undefined }, by);
      await deliveries.cancel(device, id, by);
    }
    const rows = api.base.db.reader.$client.query('select count(*) as n from deliveries').get();
    expect(rows).toEqual({ n: 201 });
    expect((await list()).map(({ body }) => body)[0]).toBe(229);
  });
});

describe('what is refused', () => {
  test.each([
    ['too large', { body: 'x'.repeat(99) }, '413 delivery_too_large'],
    ['too deep', { body: JSON.parse(`${'['.repeat(33)}${']'.repeat(33)}`) }, '413 delivery_too_large'],
    ['too long', { body: 1, expires_in: 31 * 86_400 }, '422 lifetime_too_long'],
    ['no body', {}, '422 invalid_body'],
    ['no life', { body: 1, expires_in: 0 }, '422 invalid_body'],
    ['half a second', { body: 1, expires_in: 0.5 }, '422 invalid_body'],
    ['something unknown', { body: 1, urgent: true }, '422 invalid_body'],
    ['no object', [], '422 invalid_body'],
  ])('a delivery: %s', async (_what, json, code) => {
    expect(await codeOf(await post(json))).toBe(code);
    expect(await list()).toEqual([]);
  });

  test('as deep as it may be', async () => {
    await queue(JSON.parse(`${'['.repeat(32)}${']'.repeat(32)}`));
  });

  test('more than may wait', async () => {
    for (let each = 0; each < 40; each++) await queue(each);
    expect(await codeOf(await post({ body: 1 }))).toBe('422 too_many_deliveries');
    await cancel((await list())[0]?.id ?? '');
    await queue('room');
  });

  test('others, whoever they are', async () => {
    const eve = await api.signIn();
    const { id } = await queue(1);
    expect((await api.call(path(), { cookie: eve.token })).status).toBe(404);
    expect((await post({ body: 1 }, eve.token)).status).toBe(404);
    expect((await cancel(id, eve.token)).status).toBe(404);
    const other = await pairDevice(api, eve, { name: 'other' });
    expect(await take(other)).toEqual([]);
    expect((await receipt(id, { outcome: 'done' }, other)).status).toBe(404);
    expect((await list())[0]).toMatchObject({ status: 'queued' });
  });

  test.each([
    [{ outcome: 'perhaps' }],
    [{}],
    [{ outcome: 'done', note: '' }],
    [{ outcome: 'done', note: 'two\nlines' }],
    [{ outcome: 'done', note: 'x'.repeat(501) }],
  ])('a receipt: %p', async (json) => {
    const { id } = await queue(1);
    expect(await codeOf(await receipt(id, json))).toBe('422 invalid_body');
  });

  test('a receipt that nobody signed', async () => {
    const { id } = await queue(1);
    const options = { method: 'POST', bearer: board.token, json: { outcome: 'done' } };
    const response = await api.call(`/api/v1/device/deliveries/${id}/receipt`, options);
    expect(await codeOf(response)).toBe('401 signature_missing');
    expect((await list())[0]).toMatchObject({ status: 'queued' });
  });

  test('a token without the scope', async () => {
    const reader = await api.makeToken(ada, { scopes: ['devices:read'] });
    expect((await api.call(path(), { bearer: reader.token })).status).toBe(200);
    const options = { method: 'POST', bearer: reader.token, json: { body: 1 } };
    expect(await codeOf(await api.call(path(), options))).toBe('401 invalid_token');
  });
});

test('one of two receipts that come together counts', async () => {
  const { id } = await queue(1);
  const answers = await Promise.all([
    receipt(id, { outcome: 'done' }),
    receipt(id, { outcome: 'failed' }),
    receipt(id, { outcome: 'failed', note: 'other' }),
  ]);
  expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([204, 409, 409]);
});

test('a cancel and a receipt that come together: one of them', async () => {
  for (let each = 0; each < 20; each++) {
    const { id } = await queue(each);
    const [cancelled, received] = await Promise.all([cancel(id), receipt(id)]);
    expect([cancelled.status, received.status]).toBeOneOf([
      [204, 409],
      [404, 204],
    ]);
  }
});

test('who queued, cancelled and received what is in the audit', async () => {
  const { id } = await queue(1);
  await receipt(id);
  await cancel((await queue(2)).id);
  const rows = api.base.auditStore.list({ limit: 50 }).filter(({ action }) => action.startsWith('delivery.'));
  expect(rows.map(({ action, actorUserId }) => [action, actorUserId])).toEqual([
    ['delivery.cancelled', ada.userId],
    ['delivery.queued', ada.userId],
    ['delivery.received', null],
    ['delivery.queued', ada.userId],
  ]);
  expect(rows[2]).toMatchObject({
    subjectUserId: ada.userId,
    sessionId: board.sessionId,
    detail: { device: board.id, delivery: id, outcome: 'done' },
  });
});
