import { afterAll, describe, expect, test } from 'bun:test';
import { readBody } from '../../../src/http/body.ts';
import { AppError } from '../../../src/lib/app-error.ts';
import { newId } from '../../../src/lib/random.ts';
import { newDeviceKey } from '../../../src/signatures/ed25519-key.ts';
import { newNonce } from '../../../src/signatures/sign-request.ts';
import { RELAY_HOST, temporaryDeviceGuard } from '../../support/device-guard.ts';
import { settle } from '../../support/manual-clock.ts';
import { REFUSAL_CASES } from '../../support/signature-refusals.ts';
import { type CraftedRequest, craftRequest, withFields } from '../../support/signed-request.ts';

const site = temporaryDeviceGuard();
const device = await site.pair();
afterAll(() => site[Symbol.asyncDispose]());

const craft = (request: CraftedRequest = {}) => craftRequest(request, site.signing(device));

describe('signed requests that are taken', () => {
  test.each([
    ['without a body', {}],
    ['with a body', { body: '{"a":1}' }],
    ['with a body that is not text', { body: '\u0000\u0001é' }],
    ['without a query', { target: '/api/v1/device' }],
    ['with an empty query', { target: '/api/v1/device?' }],
    ['with an encoded target', { target: '/api/v1/device/%C3%BC?a=%20&b=c+d' }],
    ['of another label', { label: 'sig1' }],
    ['with alg', { parameters: (usual) => `${Object.values(usual).join('')};alg="ed25519"` }],
    [
      'with another order of parameters',
      { parameters: ({ created, nonce, keyid, tag }) => tag + keyid + nonce + created },
    ],
    ['with a nonce in base64', { nonce: 'abcd+/abcdabcdabcdabcQ==' }],
    ['with a nonce of 64 bytes', { nonce: Buffer.alloc(64, 7).toString('base64') }],
    [
      'with a digest of SHA-512',
      { body: 'hello', digest: `sha-512=:${Bun.SHA512.hash('hello', 'base64')}:` },
    ],
    [
      'with both digests',
      {
        body: 'hello',
        digest: `sha-512=:${Bun.SHA512.hash('hello', 'base64')}:, sha-256=:${Bun.SHA256.hash('hello', 'base64')}:`,
      },
    ],
  ] satisfies [string, CraftedRequest][])('%s', async (_what, request) => {
    expect(await site.verdict(craft(request))).toBe(device.deviceId);
  });

  test.each([-60, -1, 0, 1, 30])('created %p s from now', async (seconds) => {
    const created = Math.floor(site.clock.now() / 1_000) + seconds;
    expect(await site.verdict(craft({ created }))).toBe(device.deviceId);
  });

  test('with fields that nobody covers, whatever is in them', async () => {
    const request = withFields(craft(), { 'x-forwarded-for': '192.0.2.9', via: '1.1 proxy', accept: '*/*' });
    expect(await site.verdict(request)).toBe(device.deviceId);
  });

  test('at the host of the relay', async () => {
    const request = craftRequest({}, site.signing(device, `https://${RELAY_HOST}`));
    expect(await site.verdict(request)).toBe(device.deviceId);
  });

  test('in the same turn, without a body, unless another came in it', async () => {
    await settle();
    expect(site.open.guard.signedDevice(craft())).not.toBeInstanceOf(Promise);
    const second = site.open.guard.signedDevice(craft());
    expect(second).toBeInstanceOf(Promise);
    expect((await second).deviceId).toBe(device.deviceId);
  });

  test('and their body can be read by whoever is next', async () => {
    const request = craft({ body: '{"a":1}' });
    expect(await site.verdict(request)).toBe(device.deviceId);
    expect(Buffer.from(await readBody(request, 100)).toString()).toBe('{"a":1}');
    expect(readBody(request, 3)).rejects.toMatchObject({ code: 'body_too_large' });
  });
});

describe('signed requests that are refused', () => {
  test('in more than a hundred ways', () => {
    expect(REFUSAL_CASES.length).toBeGreaterThan(100);
  });

  test.each(REFUSAL_CASES)('$code: $name', async (refusal) => {
    expect(await site.verdict(refusal.make(site.signing(device)))).toBe(refusal.code);
  });

  test('at a host where they are not taken', async () => {
    const request = craftRequest({}, site.signing(device, 'https://cam--board.devices.example.test'));
    expect(await site.verdict(request)).toBe('signature_authority');
  });

  test('signed for the relay and sent to the other host, or the other way round', async () => {
    const [one, other] = ['auth.example.test', RELAY_HOST];
    const crossed = (host: string, authority: string) =>
      craftRequest({ authority }, site.signing(device, `https://${host}`));
    expect(await site.verdict(crossed(one, other))).toBe('signature_authority');
    expect(await site.verdict(crossed(other, one))).toBe('signature_authority');
    expect(await site.verdict(crossed(other, 'elsewhere.example.test'))).toBe('signature_invalid');
  });

  test('of nobody who is known', async () => {
    expect(await site.verdict(craft({ sessionId: newId('ses') }))).toBe('device_not_paired');
  });

  test('of a browser session', async () => {
    const { session } = await site.base.signIn(device.userId);
    expect(await site.verdict(craft({ sessionId: session.id }))).toBe('device_not_paired');
  });

  test('of another device, with the key of this one', async () => {
    const other = await site.pair();
    expect(await site.verdict(craft({ sessionId: other.sessionId }))).toBe('signature_invalid');
  });

  test('with a body that is too large, before it is read', async () => {
    const body = 'a'.repeat(5_000);
    expect(await site.verdict(craft({ body }))).toBe('body_too_large');
  });

  test('and every 401 tells the time of the server', () => {
    const old = craft({ created: 1 });
    try {
      void site.open.guard.signedDevice(old);
      throw new Error('it was taken');
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      expect(error.members).toEqual({ server_time: Math.floor(site.clock.now() / 1_000) });
    }
  });

  test('are no sign of life of the device that they name', async () => {
    const other = await site.pair();
    const lastSeen = () => site.base.ledger.lastSeenAt(other.sessionId);
    const pairedAt = lastSeen();
    await site.clock.advance(600_000);
    const signing = () => site.signing(other);
    const replayed = craftRequest({}, signing());
    await site.verdict(craftRequest({ key: newDeviceKey() }, signing()));
    await site.verdict(withFields(craftRequest({ body: 'a' }, signing()), { 'content-digest': 'md5=:a:' }));
    expect(lastSeen()).toBe(pairedAt);
    expect(await site.verdict(replayed)).toBe(other.deviceId);
    const seenAt = site.clock.now();
    expect(lastSeen()).toBe(seenAt);
    await site.clock.advance(30_000);
    expect(await site.verdict(new Request(replayed))).toBe('signature_replayed');
    expect(lastSeen()).toBe(seenAt);
  });

  test('leave the nonce unused where the signature does not hold', async () => {
    const nonce = newNonce();
    expect(await site.verdict(craft({ nonce, key: newDeviceKey() }))).toBe('signature_invalid');
    expect(await site.verdict(craft({ nonce }))).toBe(device.deviceId);
  });
});

test('the window is as it is configured', async () => {
  const config = { signature_max_age: 10_000, signature_max_ahead: 5_000 };
  await using narrow = temporaryDeviceGuard({ devices: config });
  const paired = await narrow.pair();
  const at = (seconds: number) =>
    narrow.verdict(craftRequest({ created: narrow.clock.now() / 1_000 + seconds }, narrow.signing(paired)));
  expect([await at(-11), await at(-10), await at(5), await at(6)]).toEqual([
    'signature_stale',
    paired.deviceId,
    paired.deviceId,
    'signature_future',
  ]);
});

describe('a signature counts once', () => {
  test('the same request again', async () => {
    const request = craft();
    expect(await site.verdict(request)).toBe(device.deviceId);
    expect(await site.verdict(request)).toBe('signature_replayed');
  });

  test('the same nonce, signed again', async () => {
    const nonce = newNonce();
    expect(await site.verdict(craft({ nonce }))).toBe(device.deviceId);
    expect(await site.verdict(craft({ nonce, target: '/api/v1/device/other' }))).toBe('signature_replayed');
    expect(await site.verdict(craft({ nonce, created: site.clock.now() / 1_000 - 5 }))).toBe(
      'signature_replayed',
    );
  });

  test('the same nonce of another device is another one', async () => {
    const other = await site.pair();
    const nonce = newNonce();
    expect(await site.verdict(craft({ nonce }))).toBe(device.deviceId);
    expect(await site.verdict(craftRequest({ nonce }, site.signing(other)))).toBe(other.deviceId);
  });

  test('two copies that arrive together: one', async () => {
    const first = craft({ body: '{"a":1}' });
    const second = new Request(first);
    const verdicts = await Promise.all([site.verdict(first), site.verdict(second)]);
    expect(verdicts.toSorted()).toEqual([device.deviceId, 'signature_replayed'].toSorted());
  });

  test('until it is too old, and then it is stale', async () => {
    const request = craft();
    expect(await site.verdict(request)).toBe(device.deviceId);
    for (let second = 0; second < 200; second++) {
      await site.clock.advance(1_000);
      expect(await site.verdict(new Request(request))).toBe(
        second < 60 ? 'signature_replayed' : 'signature_stale',
      );
    }
  });
});

test('an unpaired device signs for nothing any more', async () => {
  const other = await site.pair();
  const craftOther = () => craftRequest({}, site.signing(other));
  expect(await site.verdict(craftOther())).toBe(other.deviceId);
  await site.base.ledger.end(other.sessionId, { reason: 'ended_by_user' });
  expect(await site.verdict(craftOther())).toBe('device_not_paired');
});

describe('what comes together', () => {
  test('each request gets its own verdict', async () => {
    const other = newDeviceKey();
    const requests = Array.from({ length: 60 }, (_, each) => craft(each % 3 === 0 ? { key: other } : {}));
    const verdicts = await Promise.all(requests.map((request) => site.verdict(request)));
    expect(verdicts).toEqual(
      requests.map((_, each) => (each % 3 === 0 ? 'signature_invalid' : device.deviceId)),
    );
  });

  test('many copies of one request: one is taken', async () => {
    const request = craft();
    const copies = Array.from({ length: 50 }, () => new Request(request));
    const verdicts = await Promise.all(copies.map((copy) => site.verdict(copy)));
    expect(verdicts.filter((verdict) => verdict === device.deviceId)).toHaveLength(1);
    expect(verdicts.filter((verdict) => verdict === 'signature_replayed')).toHaveLength(49);
  });

  test('a device that is unpaired while its requests are looked at gets nothing after the answer', async () => {
    const other = await site.pair();
    let hasAnswered = false;
    const late: string[] = [];
    const asking = Array.from({ length: 40 }, async () => {
      const verdict = await site.verdict(craftRequest({}, site.signing(other)));
      if (hasAnswered) late.push(verdict);
    });
    const end = async () => {
      await site.base.ledger.end(other.sessionId, { reason: 'ended_by_user' });
      hasAnswered = true;
    };
    await Promise.all([...asking, end()]);
    expect(late.filter((verdict) => verdict !== 'device_not_paired')).toEqual([]);
  });

  test('nor does one whose body was still on its way', async () => {
    const other = await site.pair();
    const signed = craftRequest({ body: '{"a":1}' }, site.signing(other));
    const { promise: hasEnded, resolve } = Promise.withResolvers<void>();
    const body = new ReadableStream({
      async pull(controller) {
        await hasEnded;
        controller.enqueue(Buffer.from('{"a":1}'));
        controller.close();
      },
    });
    const verdict = site.verdict(new Request(signed.url, { method: 'POST', headers: signed.headers, body }));
    await settle();
    await site.base.ledger.end(other.sessionId, { reason: 'ended_by_user' });
    resolve();
    expect(await verdict).toBe('device_not_paired');
  });
});

test('a key that was changed signs for nothing any more, the new one does at once', async () => {
  const other = await site.pair();
  expect(await site.verdict(craftRequest({}, site.signing(other)))).toBe(other.deviceId);
  const key = newDeviceKey();
  await site.base.db.write((tx) => site.base.ledger.changeDeviceKey(tx, other.sessionId, key.publicKey));
  expect(await site.verdict(craftRequest({}, site.signing(other)))).toBe('signature_invalid');
  expect(await site.verdict(craftRequest({}, site.signing({ ...other, key })))).toBe(other.deviceId);
});

describe('the session token', () => {
  const ask = (headers: Record<string, string>) =>
    site.open.guard.knownDevice(new Request('https://auth.example.test/api/v1/device', { headers }));

  test('is enough where a route only reads', async () => {
    expect(await ask({ authorization: `Bearer ${device.token}` })).toMatchObject({
      deviceId: device.deviceId,
      publicKey: device.key.publicKey,
    });
  });

  test('a signature is enough too, and decides where both are there', async () => {
    const signed = craft({ method: 'GET' });
    const both = withFields(signed, { authorization: 'Bearer nonsense' });
    expect((await site.open.guard.knownDevice(both)).deviceId).toBe(device.deviceId);
    const wrong = withFields(craft({ method: 'GET', created: 1 }), {
      authorization: `Bearer ${device.token}`,
    });
    expect(site.open.guard.knownDevice(wrong)).rejects.toMatchObject({ code: 'signature_stale' });
  });

  test('of anybody else is refused', async () => {
    const { token } = await site.base.signIn(device.userId);
    for (const each of [token, 'nonsense', `${device.token}x`]) {
      expect(ask({ authorization: `Bearer ${each}` })).rejects.toMatchObject({ code: 'invalid_token' });
    }
    expect(ask({})).rejects.toMatchObject({ code: 'token_required' });
  });
});

test('what somebody recorded, forged, or was shut out with is in the audit', async () => {
  const other = await site.pair();
  const signing = () => site.signing(other);
  const request = craftRequest({}, signing());
  await site.verdict(request);
  await site.verdict(request);
  await site.verdict(craftRequest({ key: newDeviceKey() }, signing()));
  await site.base.ledger.end(other.sessionId, { reason: 'ended_by_user' });
  await site.verdict(craftRequest({}, signing()));
  // What was noted is written in the order in which it was asked for.
  await site.base.db.write(() => undefined);
  const rows = site.base.auditStore
    .list({ limit: 100 })
    .filter(({ action, sessionId }) => action === 'device.denied' && sessionId === other.sessionId);
  expect(new Set(rows.map(({ detail }) => detail?.['reason']))).toEqual(
    new Set(['invalid', 'replayed', 'revoked']),
  );
  expect(rows).toHaveLength(3);
});
