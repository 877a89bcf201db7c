import { afterAll, beforeAll, expect, test } from 'bun:test';
import { newDeviceKey } from '../../../src/signatures/ed25519-key.ts';
import { signRequest } from '../../../src/signatures/sign-request.ts';
import { type SignedIn, type TemporaryApi, temporaryApi } from '../../support/api.ts';
import { TEST_RELAY_HOST } from '../../support/devices.ts';
import { TEST_ORIGIN } from '../../support/ledger.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { callSigned, codeOf, pairDevice, type TestDevice } from '../../support/pairing.ts';
import { type RawAnswer, rawHead, rawHttp } from '../../support/raw-http.ts';
import { REFUSAL_CASES } from '../../support/signature-refusals.ts';

const clock = new ManualClock();
let api: TemporaryApi;
let ada: SignedIn;
let board: TestDevice;

beforeAll(async () => {
  api = temporaryApi({ clock });
  ada = await api.signIn();
  board = await pairDevice(api, ada);
});

afterAll(() => api[Symbol.asyncDispose]());

const HOST = new URL(TEST_ORIGIN).host;
const PATH = '/api/v1/device';

interface Sent {
  method?: string;
  target?: string;
  body?: string;
  host?: string;
}

/** The fields of a request that the board signs. */
function sign({ method = 'PATCH', target = PATH, body, host = HOST }: Sent): Record<string, string> {
  const url = new URL(target, `https://${host}`);
  const bytes = body === undefined ? undefined : Buffer.from(body);
  const signer = { key: board.key, sessionId: board.sessionId, now: clock.now() };
  return { ...signRequest({ method, url, ...(bytes && { body: bytes }) }, signer) };
}

/** Sends exactly these bytes. */
function send(
  { method = 'PATCH', target = PATH, host = HOST }: Sent,
  fields: readonly (readonly [string, string])[],
  rest = '',
): Promise<RawAnswer> {
  const lines = fields.map(([name, value]) => `${name}: ${value}`);
  const head = rawHead(`${method} ${target} HTTP/1.1`, `Host: ${host}`, ...lines);
  return rawHttp(api.port, head + rest);
}

const JSON_TYPE = ['Content-Type', 'application/json'] as const;
const codeIn = ({ status, body }: RawAnswer) =>
  `${status} ${(JSON.parse(body) as { code?: string }).code ?? ''}`.trim();
const report = () => api.call(PATH, { bearer: board.token }).then((answer) => answer.json());

test('a signed request with a body is taken, in pieces as well', async () => {
  const body = '{"version":"1.0"}';
  const fields = [...Object.entries(sign({ body })), JSON_TYPE] as const;
  const whole = await send({}, [...fields, ['Content-Length', String(body.length)]], body);
  expect(whole.status).toBe(200);
  const again = [...Object.entries(sign({ body: '{"version":"1.1"}' })), JSON_TYPE] as const;
  const pieces = '8\r\n{"versio\r\n9\r\nn":"1.1"}\r\n0\r\n\r\n';
  const chunked = await send({}, [...again, ['Transfer-Encoding', 'chunked']], pieces);
  expect(chunked.status).toBe(200);
  expect(await report()).toMatchObject({ reported: { version: '1.1' } });
});

test('what is signed for one host is nothing at another', async () => {
  const fields = Object.entries(sign({ method: 'GET', host: 'other.example.test' }));
  expect(codeIn(await send({ method: 'GET' }, fields))).toBe('401 signature_invalid');
  const relayed = Object.entries(sign({ method: 'GET', host: TEST_RELAY_HOST }));
  expect(codeIn(await send({ method: 'GET' }, relayed))).toBe('401 signature_authority');
  expect((await send({ method: 'GET', host: 'other.example.test' }, fields)).status).toBe(421);
  expect((await send({ method: 'GET', host: TEST_RELAY_HOST }, fields)).status).toBe(421);
});

test('the port of the scheme may stand beside the host, another may not', async () => {
  const fields = () => Object.entries(sign({ method: 'GET' }));
  expect((await send({ method: 'GET', host: `${HOST}:443` }, fields())).status).toBe(200);
  expect((await send({ method: 'GET', host: HOST.toUpperCase() }, fields())).status).toBe(200);
  expect((await send({ method: 'GET', host: `${HOST}:8443` }, fields())).status).toBe(421);
});

test('a field that comes twice is refused', async () => {
  for (const twice of ['signature', 'signature-input']) {
    const fields = Object.entries(sign({ method: 'GET' }));
    const more = fields.filter(([name]) => name === twice);
    expect(codeIn(await send({ method: 'GET' }, [...fields, ...more]))).toBe('400 signature_malformed');
  }
});

test('a digest that comes twice is refused', async () => {
  const body = '{"version":"2"}';
  const fields = Object.entries(sign({ body }));
  const more = fields.filter(([name]) => name === 'content-digest');
  const length = ['Content-Length', String(body.length)] as const;
  expect(codeIn(await send({}, [...fields, ...more, JSON_TYPE, length], body))).toBe('400 digest_malformed');
});

test('a body that was swapped on its way changes nothing', async () => {
  const before = await report();
  const fields = [...Object.entries(sign({ body: '{"version":"3"}' })), JSON_TYPE] as const;
  const other = await send({}, [...fields, ['Content-Length', '15']], '{"version":"4"}');
  expect(codeIn(other)).toBe('400 digest_mismatch');
  expect(await report()).toEqual(before);
});

test('a body beside a request that was signed without one changes nothing', async () => {
  const before = await report();
  const fields = [...Object.entries(sign({})), JSON_TYPE] as const;
  const body = '{"version":"5"}';
  for (const announced of [
    ['Content-Length', String(body.length)],
    ['Transfer-Encoding', 'chunked'],
  ] as const) {
    const sent = announced[0] === 'Content-Length' ? body : `f\r\n${body}\r\n0\r\n\r\n`;
    expect(codeIn(await send({}, [...fields, announced], sent))).toBe('400 signature_components');
  }
  expect(await report()).toEqual(before);
});

test('a recorded request is taken once, whoever sends it', async () => {
  const fields = Object.entries(sign({ method: 'GET' }));
  const answers = await Promise.all(Array.from({ length: 20 }, () => send({ method: 'GET' }, fields)));
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  expect(new Set(answers.filter(({ status }) => status !== 200).map(codeIn))).toEqual(
    new Set(['401 signature_replayed']),
  );
});

test('many devices at once are each themselves', async () => {
  const devices = await Promise.all(
    Array.from({ length: 12 }, (_, each) => pairDevice(api, ada, { name: `board ${each}` })),
  );
  const asked = await Promise.all(
    Array.from({ length: 120 }, async (_, each) => {
      const device = devices[each % devices.length] ?? board;
      const answer = await callSigned(api, device, 'GET', PATH);
      return ((await answer.json()) as { id: string }).id === device.id;
    }),
  );
  expect(asked).toEqual(Array(120).fill(true));
});

test('a signature that comes too late says what time it is', async () => {
  const fields = sign({ method: 'GET' });
  await clock.advance(61_000);
  const answer = await api.call(PATH, { headers: fields });
  expect(await answer.json()).toMatchObject({
    status: 401,
    code: 'signature_stale',
    server_time: Math.floor(clock.now() / 1_000),
  });
});

test('an unpaired device is told so, whatever it signs, and its token is nothing', async () => {
  const gone = await pairDevice(api, ada, { name: 'gone' });
  await api.call(`/api/v1/devices/${gone.handle}`, { method: 'DELETE', cookie: ada.token });
  expect(await codeOf(await callSigned(api, gone, 'GET', PATH))).toBe('401 device_not_paired');
  expect(await codeOf(await callSigned(api, gone, 'PATCH', PATH, {}))).toBe('401 device_not_paired');
  expect(await codeOf(await api.call(PATH, { bearer: gone.token }))).toBe('401 invalid_token');
});

test('a signature does not stand in for a session of a browser, nor for a token', async () => {
  for (const path of ['/api/v1/devices', '/api/v1/sessions', '/api/v1/audit']) {
    expect((await callSigned(api, board, 'GET', path)).status).toBe(401);
    expect((await api.call(path, { bearer: board.token })).status).toBe(401);
  }
});

test.each(REFUSAL_CASES.filter((_, each) => each % 6 === 0))('over HTTP, $code: $name', async (refusal) => {
  const signing = { key: board.key, sessionId: board.sessionId, origin: TEST_ORIGIN, now: clock.now() };
  const made = refusal.make(signing);
  const body = Buffer.from(await made.arrayBuffer()).toString();
  const { pathname, search } = new URL(made.url);
  // What is refused for itself must be refused where a route is, and not for want of one.
  const target = `${pathname.replace('/echo', '')}${search}`;
  const fields = [...made.headers].filter(([name]) => name !== 'host');
  const method = made.method === 'POST' ? 'PATCH' : made.method;
  const answer = await send({ method, target }, fields, body);
  const isSignedElsewhere = ['signature_invalid', 'digest_mismatch'].includes(refusal.code);
  expect(codeIn(answer).split(' ')[1]).toBe(isSignedElsewhere ? 'signature_invalid' : refusal.code);
});

test('a key that is of nobody signs for nobody', async () => {
  const answer = await callSigned(api, { ...board, key: newDeviceKey() }, 'PATCH', PATH, { version: '9' });
  expect(await codeOf(answer)).toBe('401 signature_invalid');
});
