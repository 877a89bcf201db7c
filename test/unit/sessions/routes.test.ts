import { expect, test } from 'bun:test';
import type { z } from 'zod';
import type { sessionListDto, whoAmIDto } from '../../../src/sessions/dto.ts';
import type { SessionId, SessionToken } from '../../../src/sessions/model.ts';
import { type SignedIn, TEST_COOKIE, type TemporaryApi, temporaryApi } from '../../support/api.ts';
import { ManualClock } from '../../support/manual-clock.ts';

type SessionList = z.output<typeof sessionListDto>['sessions'];

const FROM = { provider: undefined, providerSid: undefined, address: '192.0.2.3', userAgent: 'phone' };

function openChild({ base }: TemporaryApi, parentId: SessionId, host = 'app.example.test') {
  return base.db.write((tx) => base.ledger.openChildSession(tx, { parentId, host, origin: FROM }));
}

async function list(api: TemporaryApi, cookie: SessionToken): Promise<SessionList> {
  const response = await api.call('/api/v1/sessions', { cookie });
  expect(response.status).toBe(200);
  return ((await response.json()) as { sessions: SessionList }).sessions;
}

async function isSignedIn(api: TemporaryApi, { token }: SignedIn): Promise<boolean> {
  return (await api.call('/api/v1/session', { cookie: token })).ok;
}

async function codeOf(response: Response): Promise<string> {
  const { code } = (await response.json()) as { code: string };
  return `${response.status} ${code}`;
}

test('who am I: the person and the session that asks, with its last use', async () => {
  const clock = new ManualClock();
  await using api = temporaryApi({ clock });
  const userId = await api.base.addUser('ada');
  const { token, sessionId } = await api.signIn(userId);
  await clock.advance(60_000);
  const response = await api.call('/api/v1/session', { cookie: token });
  expect(response.headers.get('cache-control')).toBe('no-store');
  const { user, session } = (await response.json()) as z.output<typeof whoAmIDto>;
  expect(user).toEqual({
    id: userId,
    username: 'ada',
    display_name: 'ada',
    email: null,
    groups: [],
    role: 'member',
  });
  expect(session).toMatchObject({ id: sessionId, current: true, kind: 'user', host: null, parent_id: null });
  expect(session.last_seen_at).toBe('2030-01-01T00:01:00.000Z');
  expect(session.expires_at).toBe('2030-01-02T00:01:00.000Z');
});

test('nobody is told how to sign in, and nothing else', async () => {
  await using api = temporaryApi();
  const response = await api.call('/api/v1/session');
  expect(response.headers.get('www-authenticate')).toBe('Bearer');
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  expect(await response.json()).toMatchObject({ status: 401, code: 'not_signed_in', type: 'about:blank' });
});

test('a token that is not good is told so in the words of RFC 6750', async () => {
  await using api = temporaryApi();
  const response = await api.call('/api/v1/session', { bearer: 'x' as SessionToken });
  expect(response.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
  expect(await codeOf(response)).toBe('401 invalid_token');
});

test('the list has my sessions alone, marks the one that asks, and names parents, hosts and tokens', async () => {
  await using api = temporaryApi();
  const ada = await api.signIn();
  const phone = await api.signIn(ada.userId);
  await api.signIn();
  const child = await openChild(api, phone.sessionId);
  const token = await api.makeToken(ada, { label: 'backup' });
  const sessions = await list(api, ada.token);
  const known = new Map(sessions.map((session) => [session.id, session]));
  expect([...known.keys()].sort()).toEqual(
    [ada.sessionId, phone.sessionId, child.session.id, token.sessionId].map(String).sort(),
  );
  expect(sessions.filter(({ current }) => current).map(({ id }) => id)).toEqual([ada.sessionId]);
  expect(known.get(child.session.id)).toMatchObject({
    parent_id: phone.sessionId,
    host: 'app.example.test',
    address: '192.0.2.3',
    user_agent: 'phone',
  });
  expect(known.get(token.sessionId)).toMatchObject({
    kind: 'grant',
    label: 'backup',
    client_id: 'personal',
    host: null,
    parent_id: null,
  });
});

test('signing out ends the session with its children, and the browser forgets', async () => {
  await using api = temporaryApi();
  const ada = await api.signIn();
  const phone = await api.signIn(ada.userId);
  const child = await openChild(api, ada.sessionId);
  const response = await api.call('/api/v1/session', { method: 'DELETE', cookie: ada.token });
  expect(response.status).toBe(204);
  expect(response.headers.get('set-cookie')).toContain(`${TEST_COOKIE}=; Path=/; Max-Age=0`);
  expect(response.headers.get('clear-site-data')).toBe('"storage"');
  expect(await isSignedIn(api, ada)).toBe(false);
  expect((await api.base.ledger.find(child.session.id))?.status).toBe('revoked');
  expect(await isSignedIn(api, phone)).toBe(true);
});

test('a token ends itself as a session does, and no cookie is touched', async () => {
  await using api = temporaryApi();
  const ada = await api.signIn();
  const token = await api.makeToken(ada, { scopes: ['sessions:write'] });
  const response = await api.call('/api/v1/session', { method: 'DELETE', bearer: token.token });
  expect(response.status).toBe(204);
  expect(response.headers.has('set-cookie')).toBe(false);
  expect((await api.call('/api/v1/session', { method: 'DELETE', bearer: token.token })).status).toBe(401);
  expect(await isSignedIn(api, ada)).toBe(true);
});

test('one of mine ends, once; what is unknown, ended or somebody else’s looks alike', async () => {
  await using api = temporaryApi();
  const ada = await api.signIn();
  const phone = await api.signIn(ada.userId);
  const stranger = await api.signIn();
  const end = (id: string) => api.call(`/api/v1/sessions/${id}`, { method: 'DELETE', cookie: ada.token });
  expect((await end(phone.sessionId)).status).toBe(204);
  expect(await isSignedIn(api, phone)).toBe(false);
  const unknown = `ses_${'a'.repeat(26)}`;
  const bodies = new Set<string>();
  for (const id of [phone.sessionId, stranger.sessionId, unknown, 'nonsense', 'ses_..%2f', 'SES_A']) {
    const response = await end(id);
    expect(response.status).toBe(404);
    bodies.add(JSON.stringify({ ...((await response.json()) as object), request_id: '' }));
  }
  expect(bodies.size).toBe(1);
  expect(await isSignedIn(api, stranger)).toBe(true);
  expect((await api.base.ledger.find(phone.sessionId))?.revokeReason).toBe('ended_by_user');
});

test('ending the session that asks signs this browser out', async () => {
  await using api = temporaryApi();
  const ada = await api.signIn();
  const response = await api.call(`/api/v1/sessions/${ada.sessionId}`, {
    method: 'DELETE',
    cookie: ada.token,
  });
  expect(response.status).toBe(204);
  expect(response.headers.get('set-cookie')).toContain('Max-Age=0');
});

test('all others leaves the session that asks and its children', async () => {
  await using api = temporaryApi();
  const ada = await api.signIn();
  const child = await openChild(api, ada.sessionId);
  const phone = await api.signIn(ada.userId);
  const phoneChild = await openChild(api, phone.sessionId, 'other.example.test');
  const token = await api.makeToken(ada);
  const stranger = await api.signIn();
  const response = await api.call('/api/v1/sessions?keep=current', { method: 'DELETE', cookie: ada.token });
  expect(await response.json()).toEqual({ ended: 3 });
  expect(response.headers.has('set-cookie')).toBe(false);
  const left = (await list(api, ada.token)).map(({ id }) => id).sort();
  expect(left).toEqual([ada.sessionId, child.session.id].map(String).sort());
  for (const id of [phone.sessionId, phoneChild.session.id, token.sessionId]) {
    expect((await api.base.ledger.find(id))?.status).toBe('revoked');
  }
  expect(await isSignedIn(api, stranger)).toBe(true);
});

test('everywhere ends the one that asks too; devices only when asked', async () => {
  await using api = temporaryApi();
  const ada = await api.signIn();
  const phone = await api.signIn(ada.userId);
  const endAll = api.base.ledger.endAll.bind(api.base.ledger);
  const asked: unknown[] = [];
  api.base.ledger.endAll = (userId, context) => {
    asked.push(context.devices);
    return endAll(userId, context);
  };
  const response = await api.call('/api/v1/sessions', { method: 'DELETE', cookie: ada.token });
  expect(await response.json()).toEqual({ ended: 2 });
  expect(response.headers.get('set-cookie')).toContain('Max-Age=0');
  expect(response.headers.get('cache-control')).toBe('no-store');
  expect(await isSignedIn(api, phone)).toBe(false);
  const again = await api.signIn(ada.userId);
  await api.call('/api/v1/sessions?devices=true', { method: 'DELETE', cookie: again.token });
  expect(asked).toEqual([false, true]);
});

test('a query that does not fit ends nothing', async () => {
  await using api = temporaryApi();
  const ada = await api.signIn();
  const refusals = {
    '?keep=all': '422 invalid_query',
    '?keep=': '422 invalid_query',
    '?keep=current&keep=current': '400 duplicate_parameter',
    '?devices=yes': '422 invalid_query',
    '?devices=true&device=true': '422 invalid_query',
    '?keep=current?devices=true': '422 invalid_query',
  };
  for (const [query, refusal] of Object.entries(refusals)) {
    const response = await api.call(`/api/v1/sessions${query}`, { method: 'DELETE', cookie: ada.token });
    expect([query, await codeOf(response)]).toEqual([query, refusal]);
  }
  expect(await isSignedIn(api, ada)).toBe(true);
});

test('each scope does what it names and no more', async () => {
  await using api = temporaryApi();
  const ada = await api.signIn();
  const reads = await api.makeToken(ada, { scopes: ['sessions:read'] });
  const writes = await api.makeToken(ada, { scopes: ['sessions:write'] });
  const audits = await api.makeToken(ada, { scopes: ['audit:read'] });
  const status = async (bearer: SessionToken, method: string, path: string) =>
    (await api.call(path, { method, bearer })).status;
  for (const path of ['/api/v1/session', '/api/v1/sessions', '/api/v1/tokens']) {
    expect(await status(reads.token, 'GET', path)).toBe(200);
    expect(await status(writes.token, 'GET', path)).toBe(401);
    expect(await status(audits.token, 'GET', path)).toBe(401);
  }
  expect(await status(reads.token, 'DELETE', '/api/v1/sessions?keep=current')).toBe(401);
  expect(await status(audits.token, 'GET', '/api/v1/audit')).toBe(200);
  expect(await status(reads.token, 'GET', '/api/v1/audit')).toBe(401);
  expect(await status(writes.token, 'DELETE', '/api/v1/sessions?keep=current')).toBe(200);
  expect(await isSignedIn(api, ada)).toBe(false);
});

test('a page of another origin ends nothing with somebody’s cookie', async () => {
  await using api = temporaryApi();
  const ada = await api.signIn();
  for (const origin of ['https://evil.example.test', 'null']) {
    const headers = { origin };
    const response = await api.call('/api/v1/sessions', { method: 'DELETE', cookie: ada.token, headers });
    expect(await codeOf(response)).toBe('403 cross_origin');
  }
  expect(await isSignedIn(api, ada)).toBe(true);
});

test('what ends is in the audit, with who ended it and from where', async () => {
  await using api = temporaryApi();
  const ada = await api.signIn();
  const phone = await api.signIn(ada.userId);
  await api.call(`/api/v1/sessions/${phone.sessionId}`, { method: 'DELETE', cookie: ada.token });
  const [row] = api.base.auditStore.list({ limit: 1 });
  expect(row).toMatchObject({
    action: 'session.revoked',
    actorUserId: ada.userId,
    sessionId: phone.sessionId,
    address: '127.0.0.1',
    detail: { reason: 'ended_by_user' },
  });
});
