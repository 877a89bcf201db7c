import { expect, test } from 'bun:test';
import { setRequestContext } from '../../../src/http/request-context.ts';
import { type SignedIn, TEST_COOKIE, temporaryApi } from '../../support/api.ts';
import { TEST_ORIGIN } from '../../support/ledger.ts';
import { settle } from '../../support/manual-clock.ts';
import { refusalOf } from '../../support/refusal.ts';

function request(method: string, headers: Record<string, string> = {}): Request {
  const made = new Request(`${TEST_ORIGIN}/api/v1/session`, { method, headers });
  setRequestContext(made, { id: 'req_test', address: '192.0.2.9', peerTrusted: false, userAgent: 'test' });
  return made;
}

async function refused(asking: Promise<unknown>): Promise<string> {
  const { kind, code } = await refusalOf(asking);
  return `${kind} ${code}`;
}

const cookieOf = ({ token }: SignedIn) => `${TEST_COOKIE}=${token}`;

test('a cookie speaks for its session and its person', async () => {
  await using api = temporaryApi();
  const ada = await api.signIn();
  const asking = request('GET', { cookie: cookieOf(ada) });
  const caller = await api.guard.browserSession(asking);
  expect(caller.session.id).toBe(ada.sessionId);
  expect(caller.user.id).toBe(ada.userId);
  expect(await api.guard.apiSession(asking, 'sessions:write')).toEqual(caller);
  expect(await api.guard.optionalBrowserSession(asking)).toEqual(caller);
});

test('nobody, garbage and what has ended are not signed in', async () => {
  await using api = temporaryApi();
  const ada = await api.signIn();
  await api.base.ledger.end(ada.sessionId, { reason: 'signed_out' });
  for (const cookie of ['', `${TEST_COOKIE}=garbage`, `${TEST_COOKIE}=`, cookieOf(ada)]) {
    const asking = request('GET', cookie === '' ? {} : { cookie });
    expect(await refused(api.guard.browserSession(asking))).toBe('unauthorized not_signed_in');
    expect(await refused(api.guard.apiSession(asking, 'sessions:read'))).toBe('unauthorized not_signed_in');
    expect(await api.guard.optionalBrowserSession(asking)).toBeUndefined();
  }
});

test('two session cookies are refused, whichever of them is good', async () => {
  await using api = temporaryApi();
  const good = cookieOf(await api.signIn());
  for (const cookie of [`${good}; ${TEST_COOKIE}=other`, `${TEST_COOKIE}=other; ${good}`]) {
    const asking = request('GET', { cookie });
    expect(await refused(api.guard.browserSession(asking))).toBe('bad_request duplicate_cookie');
  }
});

test('a cookie changes something only from a page of its own origin, and a refusal is audited', async () => {
  await using api = temporaryApi();
  const ada = await api.signIn();
  const unsafe = (headers: Record<string, string>) =>
    request('DELETE', { cookie: cookieOf(ada), ...headers });
  for (const headers of [{ origin: TEST_ORIGIN }, { 'sec-fetch-site': 'same-origin' }]) {
    expect((await api.guard.browserSession(unsafe(headers))).session.id).toBe(ada.sessionId);
  }
  const elsewhere: Record<string, string>[] = [
    {},
    { origin: 'null' },
    { origin: 'https://evil.example.test' },
    { origin: `${TEST_ORIGIN}.evil.test` },
    { origin: 'https://evil.example.test', 'sec-fetch-site': 'same-origin' },
    { 'sec-fetch-site': 'same-site' },
  ];
  for (const headers of elsewhere) {
    expect(await refused(api.guard.browserSession(unsafe(headers)))).toBe('forbidden cross_origin');
    expect(await refused(api.guard.optionalBrowserSession(unsafe(headers)))).toBe('forbidden cross_origin');
    expect(await refused(api.guard.apiSession(unsafe(headers), 'sessions:write'))).toBe(
      'forbidden cross_origin',
    );
  }
  await settle();
  const rows = api.base.auditStore.list({ limit: 100 }).filter(({ action }) => action === 'csrf.refused');
  expect(rows).toHaveLength(elsewhere.length * 3);
  expect(rows[0]).toMatchObject({
    actorUserId: ada.userId,
    sessionId: ada.sessionId,
    address: '192.0.2.9',
    outcome: 'refused',
  });
});

test('a page of a sibling host cannot fill the audit', async () => {
  await using api = temporaryApi();
  const headers = { cookie: cookieOf(await api.signIn()), origin: 'https://cam.example.test' };
  for (let sent = 0; sent < 50; sent++) {
    expect(await refused(api.guard.browserSession(request('DELETE', headers)))).toBe(
      'forbidden cross_origin',
    );
  }
  await settle();
  const rows = api.base.auditStore.list({ limit: 100 }).filter(({ action }) => action === 'csrf.refused');
  expect(rows).toHaveLength(20);
});

test('a WebSocket upgrade by cookie needs its own origin although it is a GET', async () => {
  await using api = temporaryApi();
  const ada = await api.signIn();
  const upgrade = (origin: string) =>
    api.guard.browserSession(request('GET', { cookie: cookieOf(ada), origin, upgrade: 'websocket' }));
  expect(await refused(upgrade('https://cam.example.test'))).toBe('forbidden cross_origin');
  expect((await upgrade(TEST_ORIGIN)).session.id).toBe(ada.sessionId);
});

test('an unsafe request of a stranger is not signed in, and fills no audit', async () => {
  await using api = temporaryApi();
  const asking = request('DELETE', { cookie: `${TEST_COOKIE}=x`, origin: 'https://evil.example.test' });
  expect(await refused(api.guard.browserSession(asking))).toBe('unauthorized not_signed_in');
  await settle();
  expect(api.base.auditStore.list({ limit: 10 })).toEqual([]);
});

test('a personal token is good for the scopes that it names, from any origin', async () => {
  await using api = temporaryApi();
  const token = await api.makeToken(await api.signIn(), { scopes: ['sessions:read'] });
  const asking = request('DELETE', {
    authorization: `bearer ${token.token}`,
    origin: 'https://anywhere.test',
  });
  expect((await api.guard.apiSession(asking, 'sessions:read')).session.id).toBe(token.sessionId);
  expect(await refused(api.guard.apiSession(asking, 'sessions:write'))).toBe('unauthorized invalid_token');
});

test('a bearer decides alone: a cookie beside it neither helps nor adds', async () => {
  await using api = temporaryApi();
  const ada = await api.signIn();
  const { token } = await api.makeToken(ada, { scopes: ['sessions:read'] });
  const both = (authorization: string) =>
    request('DELETE', { cookie: cookieOf(ada), origin: TEST_ORIGIN, authorization });
  const malformed = ['Bearer', 'Bearer ', 'Bearer wrong', 'bearer a b', `Bearer ${token}, Bearer ${token}`];
  for (const authorization of malformed) {
    const asking = api.guard.apiSession(both(authorization), 'sessions:read');
    expect(await refused(asking)).toBe('unauthorized invalid_token');
  }
  const good = both(`Bearer ${token}`);
  expect((await api.guard.apiSession(good, 'sessions:read')).session.kind).toBe('grant');
  expect(await refused(api.guard.apiSession(good, 'sessions:write'))).toBe('unauthorized invalid_token');
  expect(await refused(api.guard.browserSession(good))).toBe('forbidden browser_session_required');
});

test('another scheme in the header is not ours: the cookie counts', async () => {
  await using api = temporaryApi();
  const ada = await api.signIn();
  const asking = request('GET', { cookie: cookieOf(ada), authorization: 'Basic YTpi' });
  expect((await api.guard.apiSession(asking, 'sessions:read')).session.id).toBe(ada.sessionId);
});

test('a credential is good in its own place alone: a cookie is no bearer, a token no cookie', async () => {
  await using api = temporaryApi();
  const ada = await api.signIn();
  const token = await api.makeToken(ada);
  const asBearer = request('GET', { authorization: `Bearer ${ada.token}` });
  expect(await refused(api.guard.apiSession(asBearer, 'sessions:read'))).toBe('unauthorized invalid_token');
  const asCookie = request('GET', { cookie: cookieOf(token) });
  expect(await refused(api.guard.browserSession(asCookie))).toBe('unauthorized not_signed_in');
});

test('the cookie of a protected host says nothing here', async () => {
  await using api = temporaryApi();
  const ada = await api.signIn();
  const child = await api.base.db.write((tx) =>
    api.base.ledger.openChildSession(tx, {
      parentId: ada.sessionId,
      host: 'app.example.test',
      origin: { provider: undefined, providerSid: undefined, address: undefined, userAgent: undefined },
    }),
  );
  const asking = request('GET', { cookie: `${TEST_COOKIE}=${child.token}` });
  expect(await refused(api.guard.browserSession(asking))).toBe('unauthorized not_signed_in');
});

test('only an owner is one, and only in a browser', async () => {
  await using api = temporaryApi();
  const member = request('GET', { cookie: cookieOf(await api.signIn()) });
  expect(await refused(api.guard.owner(member))).toBe('forbidden owner_required');
  const owner = await api.signInOwner();
  expect((await api.guard.owner(request('GET', { cookie: cookieOf(owner) }))).user.id).toBe(owner.userId);
  const { token } = await api.makeToken(owner, { scopes: ['sessions:read', 'sessions:write', 'audit:read'] });
  const asking = request('GET', { authorization: `Bearer ${token}` });
  expect(await refused(api.guard.owner(asking))).toBe('forbidden browser_session_required');
});
