import { expect, test } from 'bun:test';
import type { z } from 'zod';
import { hostAudience } from '../../../src/sessions/audience.ts';
import type { createdTokenDto, tokenListDto } from '../../../src/sessions/dto-tokens.ts';
import type { SessionToken } from '../../../src/sessions/model.ts';
import { PROTECTED_HOST, type SignedIn, type TemporaryApi, temporaryApi } from '../../support/api.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const VALID = { label: 'backup', hosts: [PROTECTED_HOST], scopes: ['sessions:read'], expires_in: 3_600 };

function create(api: TemporaryApi, { token }: SignedIn, json: unknown): Promise<Response> {
  return api.call('/api/v1/tokens', { method: 'POST', cookie: token, json });
}

async function codeOf(response: Response): Promise<string> {
  const { code } = (await response.json()) as { code: string };
  return `${response.status} ${code}`;
}

async function list(api: TemporaryApi, { token }: SignedIn) {
  const response = await api.call('/api/v1/tokens', { cookie: token });
  return ((await response.json()) as z.output<typeof tokenListDto>).tokens;
}

test('a token is shown once, works where it was made for, and is a session like any other', async () => {
  const clock = new ManualClock();
  await using api = temporaryApi({ clock });
  const ada = await api.signIn();
  const response = await create(api, ada, VALID);
  expect(response.status).toBe(201);
  expect(response.headers.get('cache-control')).toBe('no-store');
  const { token, secret } = (await response.json()) as z.output<typeof createdTokenDto>;
  expect(token).toMatchObject({
    label: 'backup',
    hosts: [PROTECTED_HOST],
    scopes: ['sessions:read'],
    address: '127.0.0.1',
    expires_at: '2030-01-01T01:00:00.000Z',
  });

  expect((await api.call('/api/v1/session', { bearer: secret as SessionToken })).status).toBe(200);
  const atHost = await api.base.ledger.authenticate(secret, 'personal', hostAudience(PROTECTED_HOST));
  expect(atHost.ok).toBe(true);
  const elsewhere = await api.base.ledger.authenticate(
    secret,
    'personal',
    hostAudience('other.example.test'),
  );
  expect(elsewhere.ok).toBe(false);

  const listed = await api.call('/api/v1/tokens', { cookie: ada.token });
  const text = await listed.text();
  expect(text).toContain(token.id);
  expect(text).not.toContain(secret);
  const rows = api.base.auditStore.list({ limit: 1 });
  expect(rows[0]).toMatchObject({ action: 'token.created', actorUserId: ada.userId, sessionId: token.id });
  expect(JSON.stringify(rows)).not.toContain(secret);

  await clock.advance(3_600_000);
  expect((await api.call('/api/v1/session', { bearer: secret as SessionToken })).status).toBe(401);
  expect(await list(api, await api.signIn(ada.userId))).toEqual([]);
});

test('hosts are told apart without regard to case, scopes and hosts are kept once', async () => {
  await using api = temporaryApi();
  const hosts = [PROTECTED_HOST, PROTECTED_HOST.toUpperCase()];
  const response = await create(api, await api.signIn(), {
    ...VALID,
    hosts,
    scopes: ['audit:read', 'audit:read'],
  });
  const { token } = (await response.json()) as z.output<typeof createdTokenDto>;
  expect(token).toMatchObject({ hosts: [PROTECTED_HOST], scopes: ['audit:read'] });
});

test('what cannot be is refused with its reason, changes nothing, and is not repeated', async () => {
  await using api = temporaryApi();
  const ada = await api.signIn();
  const year = 365 * 24 * 3_600;
  const cases: [unknown, string][] = [
    [{ ...VALID, hosts: [], scopes: [] }, '422 no_audience'],
    [{ ...VALID, hosts: ['QX.example.test'] }, '422 unknown_host'],
    [{ ...VALID, hosts: ['auth.example.test'] }, '422 unknown_host'],
    [{ ...VALID, expires_in: year + 1 }, '422 lifetime_too_long'],
    [{ ...VALID, expires_in: 0 }, '422 invalid_body'],
    [{ ...VALID, expires_in: 1.5 }, '422 invalid_body'],
    [{ ...VALID, expires_in: '3600' }, '422 invalid_body'],
    [{ ...VALID, scopes: ['QX:read'] }, '422 invalid_body'],
    [{ ...VALID, scopes: 'sessions:read' }, '422 invalid_body'],
    [{ ...VALID, label: ' ' }, '422 invalid_body'],
    [{ ...VALID, label: 'QX\nQX' }, '422 invalid_body'],
    [{ ...VALID, label: 'QX'.repeat(60) }, '422 invalid_body'],
    [{ ...VALID, QX: true }, '422 invalid_body'],
    [{ label: 'QX', scopes: ['sessions:read'] }, '422 invalid_body'],
    [['QX'], '422 invalid_body'],
    [null, '422 invalid_body'],
  ];
  for (const [json, refusal] of cases) {
    const response = await create(api, ada, json);
    const text = await response.clone().text();
    expect([json, await codeOf(response)]).toEqual([json, refusal]);
    expect(text).not.toContain('QX');
  }
  expect(await list(api, ada)).toEqual([]);
  expect((await create(api, ada, { ...VALID, expires_in: year })).status).toBe(201);
});

test('only a browser makes one: a token breeds no other, whatever it may do', async () => {
  await using api = temporaryApi();
  const ada = await api.signIn();
  const { token } = await api.makeToken(ada, { scopes: ['sessions:read', 'sessions:write', 'audit:read'] });
  const asToken = await api.call('/api/v1/tokens', { method: 'POST', bearer: token, json: VALID });
  expect(await codeOf(asToken)).toBe('403 browser_session_required');
  const both = await api.call('/api/v1/tokens', {
    method: 'POST',
    bearer: token,
    cookie: ada.token,
    json: VALID,
  });
  expect(await codeOf(both)).toBe('403 browser_session_required');
  const nobody = await api.call('/api/v1/tokens', { method: 'POST', json: VALID });
  expect(await codeOf(nobody)).toBe('401 not_signed_in');
  expect(await list(api, ada)).toHaveLength(1);
});

test('one of mine is revoked, once; a browser session and somebody else’s token are none of mine', async () => {
  await using api = temporaryApi();
  const ada = await api.signIn();
  const mine = await api.makeToken(ada);
  const other = await api.makeToken(await api.signIn());
  const revoke = async (id: string) => {
    const { status } = await api.call(`/api/v1/tokens/${id}`, { method: 'DELETE', cookie: ada.token });
    return status;
  };
  expect(await revoke(other.sessionId)).toBe(404);
  expect(await revoke(ada.sessionId)).toBe(404);
  expect(await revoke(mine.sessionId)).toBe(204);
  expect(await revoke(mine.sessionId)).toBe(404);
  expect((await api.call('/api/v1/session', { bearer: mine.token })).status).toBe(401);
  expect((await api.call('/api/v1/session', { bearer: other.token })).status).toBe(200);
  const [row] = api.base.auditStore.list({ limit: 1 });
  expect(row).toMatchObject({ action: 'token.revoked', actorUserId: ada.userId, sessionId: mine.sessionId });
});

test('a token outlives the browser session that made it, and ends with everything else', async () => {
  await using api = temporaryApi();
  const ada = await api.signIn();
  const made = await api.makeToken(ada);
  await api.call('/api/v1/session', { method: 'DELETE', cookie: ada.token });
  expect((await api.call('/api/v1/session', { bearer: made.token })).status).toBe(200);
  const again = await api.signIn(ada.userId);
  await api.call('/api/v1/sessions?keep=current', { method: 'DELETE', cookie: again.token });
  expect((await api.call('/api/v1/session', { bearer: made.token })).status).toBe(401);
});

test('nobody makes tokens without end, and one that is revoked makes room', async () => {
  await using api = temporaryApi();
  const [ada, bob] = [await api.signIn(), await api.signIn()];
  for (let made = 0; made < 200; made++) expect((await create(api, ada, VALID)).status).toBe(201);
  expect(await codeOf(await create(api, ada, VALID))).toBe('422 too_many_tokens');
  expect((await create(api, bob, VALID)).status).toBe(201);

  const [token] = await list(api, ada);
  await api.call(`/api/v1/tokens/${token?.id}`, { method: 'DELETE', cookie: ada.token });
  const both = await Promise.all([create(api, ada, VALID), create(api, ada, VALID)]);
  expect(both.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 422]);
});
